import { Text } from '@mantine/core'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan, usePerson } from '../organization.ts'

/** Who did something: "You", a member's name for those who may read members, else the kind of actor and the end of its id. */
export function Actor({ value }: { readonly value: string | null }) {
  const { profile } = usePerson()
  const can = useCan()
  const members = usePages(resources.members, { enabled: can('members:read') })
  if (value === null) return <>–</>
  const [id = value, kind = 'user'] = value.split(':').reverse()
  if (kind === 'user' && id === profile.id) return <>You</>
  const member = members.items.find(({ userId }) => userId === id)
  return (
    <Text span inherit title={value} style={{ whiteSpace: 'nowrap' }}>
      {member?.name ?? member?.email ?? `${kinds[kind] ?? kind} ${isUuid.test(id) ? `…${id.slice(-6)}` : id}`}
    </Text>
  )
}

const isUuid = /^[0-9a-f-]{36}$/
const kinds: Readonly<Record<string, string>> = {
  user: 'Person',
  'service-account': 'Service account',
  platform: 'Platform admin',
  system: 'System:',
  run: 'Run',
  trigger: 'Trigger',
}
