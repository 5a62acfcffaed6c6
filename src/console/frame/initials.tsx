import { Avatar } from '@mantine/core'

const colors = ['pine', 'orange', 'blue', 'pink', 'grape']

/** A small mark whose colour belongs to the name, so that two organizations are told apart at a glance. */
export function Initials({ name, round = false }: { readonly name: string; readonly round?: boolean }) {
  const sum = [...name].reduce((total, letter) => total + letter.charCodeAt(0), 0)
  const letters = name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => word.charAt(0).toUpperCase())
  return (
    <Avatar
      size={28}
      radius={round ? 'xl' : 'sm'}
      color={colors[sum % colors.length]!}
      variant="light"
      aria-hidden="true"
    >
      {letters.join('')}
    </Avatar>
  )
}
