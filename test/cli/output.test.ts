import t from 'tap'
import { createOutput } from '../../src/cli/output.ts'

t.test('nothing that others wrote moves a cursor, in JSON neither', async (t) => {
  const value = { title: 'a\u009b2Jb\u001b[2Jc\u007f' }
  const written: string[] = []
  const out = (text: string) => void written.push(text)
  const output = createOutput({ json: true, colors: false, out, err: out })
  output.result(value, '')
  output.item(value, '')
  for (const text of written) {
    t.notMatch(text, /[^\P{Cc}\n]/u)
    t.same(JSON.parse(text), value, 'and it says the same')
  }
  t.equal(written.length, 2)
})
