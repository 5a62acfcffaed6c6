import { Button, Card, Group, Menu, SimpleGrid, Stack, Text } from '@mantine/core'
import { Link } from 'wouter'
import type { ReportDocument, Report as ReportRecord } from '../../features/reports/schema.ts'
import { useResource } from '../api/hooks.ts'
import { files, resources } from '../api/resources.ts'
import { useTo } from '../organization.ts'
import { Icon } from '../parts/icons.tsx'
import { Page, Section } from '../parts/page.tsx'
import { Show } from '../parts/states.tsx'
import { DataTable, widthOf } from '../parts/table.tsx'
import { bytes, count } from '../parts/text.ts'
import { Time } from '../parts/time.tsx'
import { useDownload } from '../parts/use-download.ts'
import { inline } from '../parts/value.tsx'

type Row = ReportDocument['tables'][number]['rows'][number]

/** A report, drawn from its data: text stays text. */
export default function Report({ reportId }: { readonly reportId: string }) {
  const to = useTo()
  const report = useResource(resources.report(reportId))
  const document = useResource(resources.reportDocument(reportId))
  return (
    <Page
      title={report.data?.title ?? 'Report'}
      back={['Reports', to('reports', {})]}
      actions={
        report.data && (
          <>
            <Button component={Link} href={to('session', { sessionId: report.data.sessionId })} variant="default">
              Go to the session
            </Button>
            <Downloads report={report.data} />
          </>
        )
      }
    >
      <Stack gap="lg">
        <Show reading={report} lines={1}>
          {({ agent, createdAt }) => (
            <Text size="sm" c="dimmed">
              {agent} · written <Time value={createdAt} as="date" />
            </Text>
          )}
        </Show>
        <Show reading={document} lines={10}>
          {(content) => <Content document={content} />}
        </Show>
      </Stack>
    </Page>
  )
}

function Content({ document: { summary, facts, tables } }: { readonly document: ReportDocument }) {
  return (
    <Stack gap="xl">
      {summary && (
        <Text className="prose" maw={860}>
          {summary}
        </Text>
      )}
      {facts.length > 0 && (
        <SimpleGrid cols={{ base: 2, sm: 3, lg: 4 }} spacing="sm" component="dl" m={0}>
          {facts.map(({ label, value }) => (
            <Card key={label} padding="sm">
              <Text size="xs" c="dimmed" component="dt">
                {label}
              </Text>
              <Text fw={650} className="prose numbers" component="dd" m={0}>
                {value}
              </Text>
            </Card>
          ))}
        </SimpleGrid>
      )}
      {tables.map(({ name, title, columns, rows }) => (
        <Section
          key={name}
          title={title}
          aside={
            <Text size="sm" c="dimmed">
              {count(rows.length, 'row')}
            </Text>
          }
        >
          {rows.length === 0 ? (
            <Text size="sm" c="dimmed">
              None.
            </Text>
          ) : (
            <DataTable
              label={title}
              rows={rows}
              columns={columns.map(({ key, label, align }) => ({
                key,
                label,
                align,
                width: widthOf(rows.slice(0, 100).map((row) => row[key])),
                cell: (row: Row) => inline(row[key]),
              }))}
            />
          )}
        </Section>
      ))}
    </Stack>
  )
}

/** Files come with the token, so the browser cannot fetch them by a plain link. */
function Downloads({ report }: { readonly report: ReportRecord }) {
  const { download, pending } = useDownload()
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Button leftSection={<Icon name="download" size={16} />} loading={pending !== null}>
          Download
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {report.files.map(({ name, bytes: size }) => (
          <Menu.Item key={name} onClick={() => void download(files.report(report.id, name), name)}>
            <Group justify="space-between" gap="xl">
              {name}
              <Text size="xs" c="dimmed">
                {bytes(size)}
              </Text>
            </Group>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
