import t from 'tap'
import { calledAs, nameTools } from '../../src/features/tools/names.ts'

const tool = (name: string) => ({ name, description: name, inputSchema: { type: 'object' } })
const usable = (server: string, names: string[], allowed = ['*']) =>
  nameTools(server, allowed, names.map(tool))
    .filter((one) => one.allowed && !one.problem)
    .map(({ name, calledAs: called }) => `${called} is ${name}`)

t.test('a name is that of its server and tool, in letters that every model takes', async (t) => {
  t.equal(calledAs('crm', 'find.it/now'), 'crm__find_it_now')
  t.equal(calledAs('crm', 'x'.repeat(200)).length, 64)
  t.match(calledAs('a'.repeat(32), 'ünï code'), /^[a-zA-Z0-9_-]{1,64}$/)
})

t.test('a tool keeps its name, whichever comes first', async (t) => {
  t.same(usable('crm', ['find.it', 'find_it']), ['crm__find_it is find_it'])
  t.same(usable('crm', ['find_it', 'find.it']), ['crm__find_it is find_it'])
  t.same(usable('crm', ['find.it', 'find it']), ['crm__find_it is find.it'], 'else the first')
  t.same(usable('crm', ['echo', 'echo']), ['crm__echo is echo'], 'twice is once')
  const long = 'x'.repeat(100)
  t.same(usable('crm', [`${long}1`, `${long}2`]).length, 1)
})

t.test('the allow-list holds the names that the server gives', async (t) => {
  t.same(usable('crm', ['find.it', 'echo'], ['find.it']), ['crm__find_it is find.it'])
  t.same(usable('crm', ['find.it', 'echo'], ['crm__echo', 'find_it']), [])
  t.same(usable('crm', ['find.it', 'find_it'], ['find.it']), [], 'what is allowed cannot take the place of another one')
  t.same(usable('crm', ['echo'], []), [])
})
