import { Text } from '@mantine/core'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan, usePerson } from '../organization.ts'

/** Who did something: "You", a member's name for those who may read members, else the end of the id. */
export function Actor({ value }: { readonly value: string | null }) {
  const { profile } = usePerson()
  const can = useCan()
  const members = usePages(resources.members, { enabled: can('members:read') })
  if (value === null) return <>–</>
  const id = value.replace(/^user:/, '')
  if (id === profile.id) return <>You</>
  const member = members.items.find(({ userId }) => userId === id)
  const name = member?.name ?? member?.email
  return (
    <Text span inherit title={value}>
      {name ?? (value.startsWith('user:') || /^[0-9a-f-]{36}$/.test(value) ? `person …${id.slice(-6)}` : value)}
    </Text>
  )
}
