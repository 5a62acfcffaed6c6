import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core'

const pine: MantineColorsTuple = [
  '#effaf7',
  '#d5f0e9',
  '#aadfd3',
  '#7acbb9',
  '#4fb39f',
  '#2f9a86',
  '#1b8573',
  '#0f6e60',
  '#0c574d',
  '#08423b',
]

const amber: MantineColorsTuple = [
  '#fff8e8',
  '#feecc4',
  '#fbd98b',
  '#f7c453',
  '#f2b02b',
  '#e09a14',
  '#b8790a',
  '#8f5b06',
  '#6f4505',
  '#503103',
]

/** Mantine's greys of the dark scheme, turned towards blue. */
const dark: MantineColorsTuple = [
  '#d7dde4',
  '#b9c2cd',
  '#94a0ae',
  '#6a7686',
  '#3d4855',
  '#303a46',
  '#222a34',
  '#171d25',
  '#11161d',
  '#0b0f14',
]

export const theme = createTheme({
  primaryColor: 'pine',
  primaryShade: { light: 7, dark: 6 },
  autoContrast: true,
  luminanceThreshold: 0.38,
  colors: { pine, amber, dark },
  defaultRadius: 'md',
  respectReducedMotion: true,
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Code", "Liberation Mono", monospace',
  headings: { fontWeight: '650' },
  components: {
    Badge: {
      defaultProps: {
        variant: 'light',
        radius: 'sm',
        tt: 'none',
        fw: 600,
        style: { flexShrink: 0, minWidth: 'max-content' },
      },
    },
    Card: { defaultProps: { withBorder: true, padding: 'lg' } },
    Tooltip: { defaultProps: { openDelay: 300 } },
    Modal: { defaultProps: { centered: true } },
  },
})

const tinted = ['pine', 'amber', 'blue', 'grape', 'orange', 'red', 'pink', 'gray'] as const

/** Tinted grounds of the dark scheme: Mantine's own are so dark that a chosen place or a status hardly shows. */
export const resolveVariables: CSSVariablesResolver = () => {
  const entries = tinted.flatMap((color) => [
    [`--mantine-color-${color}-light`, `color-mix(in srgb, var(--mantine-color-${color}-5) 20%, transparent)`],
    [`--mantine-color-${color}-light-hover`, `color-mix(in srgb, var(--mantine-color-${color}-5) 28%, transparent)`],
    [`--mantine-color-${color}-light-color`, `var(--mantine-color-${color}-2)`],
  ])
  const error = ['--mantine-color-error', 'var(--mantine-color-red-4)']
  return { variables: {}, light: {}, dark: Object.fromEntries([...entries, error]) }
}
