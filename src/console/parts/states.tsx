import { Alert, Button, Card, Code, Group, Skeleton, Stack, Text, ThemeIcon, Title } from '@mantine/core'
import { type ReactNode, useEffect } from 'react'
import { isPassing, Problem } from '../api/problem.ts'
import { NotMember, SignInEnded } from '../sign-in/sign-in.ts'
import { CopyId } from './copy.tsx'
import { Icon, type IconName } from './icons.tsx'

interface EmptyProps {
  readonly icon: IconName
  readonly title: string
  /** What to do next. */
  readonly children: ReactNode
  readonly action?: ReactNode
}

/** Nothing is here yet, and this is the next step. */
export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <Card>
      <Stack align="center" gap="xs" py="lg" ta="center">
        <ThemeIcon size={44} radius="xl" variant="light">
          <Icon name={icon} size={22} />
        </ThemeIcon>
        <Text fw={600}>{title}</Text>
        <Text c="dimmed" size="sm" maw={460} component="div">
          {children}
        </Text>
        {action && <Group mt="xs">{action}</Group>}
      </Stack>
    </Card>
  )
}

/** Takes the place of lines that are being read. */
export function Loading({ lines = 5, label = 'Loading' }: { readonly lines?: number; readonly label?: string }) {
  return (
    <Card role="status" aria-label={label} aria-busy="true">
      <Stack gap="sm">
        {Array.from({ length: lines }, (_, line) => line).map((line) => (
          <Skeleton key={line} height={16} width={`${92 - ((line * 17) % 40)}%`} />
        ))}
      </Stack>
    </Card>
  )
}

const explanations: Readonly<Record<string, string>> = {
  not_found: 'It does not exist here, or it belongs to another organization.',
  organization_suspended: 'This organization is suspended. Your platform admin can reactivate it.',
  membership_required: 'You are not a member of this organization any more.',
  organization_unknown: 'EngineX does not know this organization yet.',
  identity_unavailable: 'The sign-in service does not answer at the moment.',
  database_unavailable: 'The database does not answer at the moment.',
  overloaded: 'EngineX is busy at the moment.',
}

interface ErrorStateProps {
  readonly error: unknown
  readonly onRetry?: (() => void) | undefined
  readonly title?: string
}

/** What went wrong, with its code and request id, and a way to try again. */
export function ErrorState({ error, onRetry, title }: ErrorStateProps) {
  if (error instanceof Problem && error.code === 'forbidden') return <NoPermission detail={error.message} />
  const problem = error instanceof Problem ? error : null
  const notMember = error instanceof NotMember
  if (error instanceof SignInEnded) return null
  const text = notMember
    ? explanations['membership_required']
    : ((problem && explanations[problem.code]) ?? (error instanceof Error ? error.message : String(error)))
  return (
    <Alert
      color={problem?.status === 404 ? 'gray' : 'red'}
      icon={<Icon name="alert" />}
      title={title ?? (problem?.status === 404 ? 'Not found' : 'This did not work')}
      role="alert"
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{text}</Text>
        {problem && (
          <Group gap="xs">
            <Code>{problem.code}</Code>
            {problem.requestId && <CopyId id={problem.requestId} label="request" />}
          </Group>
        )}
        {onRetry && (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  )
}

/** The person's roles do not reach here. */
export function NoPermission({ detail }: { readonly detail?: string }) {
  return (
    <Empty icon="audit" title="Your roles do not allow this">
      {detail && <>{detail}. </>}An administrator of your organization can give you the role you need.
    </Empty>
  )
}

/** A whole page that says one thing. */
export function Notice({
  title,
  children,
  action,
}: {
  readonly title: string
  readonly children: ReactNode
  readonly action?: ReactNode
}) {
  useEffect(() => {
    document.title = `${title} · EngineX`
  }, [title])
  return (
    <Stack component="main" mih="100vh" align="center" justify="center" p="md">
      <Card maw={460} w="100%" p="xl">
        <Stack gap="sm" align="flex-start">
          <Group gap="xs">
            <img src="/favicon.svg" alt="" width={26} height={26} />
            <Text fw={700}>EngineX</Text>
          </Group>
          <Title order={1} size="h3">
            {title}
          </Title>
          <Text c="dimmed" component="div">
            {children}
          </Text>
          {action}
        </Stack>
      </Card>
    </Stack>
  )
}

interface Reading<T> {
  readonly data: T | undefined
  readonly error: unknown
  readonly refetch: () => unknown
}

/**
 * The one way to show what is read: skeleton, error with retry, or the thing. What was read before stays when reading it
 * anew fails in passing, and goes when it is refused: the person may not see it any more.
 */
export function Show<T>({
  reading,
  lines,
  children,
}: {
  readonly reading: Reading<T>
  readonly lines?: number
  readonly children: (data: T) => ReactNode
}) {
  const { data, error, refetch } = reading
  const refused = error instanceof NotMember || (error instanceof Problem && !isPassing(error))
  if (data !== undefined && !refused) return children(data)
  if (error) return <ErrorState error={error} onRetry={() => void refetch()} />
  return <Loading {...(lines ? { lines } : {})} />
}
