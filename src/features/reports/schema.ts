import { type Static, Type } from 'typebox'
import { Id, Name, Page, PageQuery, StoredFile, Strict, Time } from '../schema.ts'

const Cell = Type.Union([Type.String(), Type.Number(), Type.Null()])

/** What `write_report` takes: text and tables, never HTML; the platform renders it. */
export const ReportDocument = Strict({
  title: Type.String({ minLength: 1, maxLength: 200 }),
  summary: Type.Optional(Type.String({ maxLength: 10_000 })),
  facts: Type.Array(Strict({ label: Type.String({ maxLength: 200 }), value: Type.String({ maxLength: 2000 }) }), {
    maxItems: 100,
  }),
  tables: Type.Array(
    Strict({
      name: Name,
      title: Type.String({ maxLength: 200 }),
      columns: Type.Array(
        Strict({
          key: Type.String({ minLength: 1, maxLength: 64 }),
          label: Type.String({ maxLength: 200 }),
          align: Type.Optional(Type.Union([Type.Literal('left'), Type.Literal('right')])),
        }),
        { minItems: 1, maxItems: 50 },
      ),
      rows: Type.Array(Type.Record(Type.String(), Cell), { maxItems: 100_000 }),
    }),
    { maxItems: 20 },
  ),
})
export type ReportDocument = Static<typeof ReportDocument>

export const Report = Type.Object({
  id: Id,
  sessionId: Id,
  runId: Id,
  agent: Name,
  title: Type.String(),
  files: Type.Array(StoredFile, { description: 'report.html, report.json, and one NAME.csv for each table.' }),
  createdAt: Time,
})
export type Report = Static<typeof Report>

export const ReportList = Page(Report)
export const ReportQuery = Strict({ ...PageQuery, sessionId: Type.Optional(Id) })
export const ReportPath = Strict({ reportId: Id })
export const ReportFilePath = Strict({ reportId: Id, file: Type.String({ pattern: '^[a-z0-9-]+\\.(html|json|csv)$' }) })
