import t from 'tap'
import { maxSkillCharacters, parseSkill, skillsIn } from '../../src/engine/skills.ts'
import { faultsOf, packageOf, smallest } from './packages.ts'

const skill = (fields: string, body = 'Do it.') => `---\n${fields}\n---\n${body}`
const sound = skill('name: refunds\ndescription: When money goes back.')

t.test('front matter, then Markdown', async (t) => {
  t.same(parseSkill(sound), {
    ok: true,
    skill: { name: 'refunds', description: 'When money goes back.', body: 'Do it.' },
  })
  const folded = skill('name: a\r\ndescription: >\r\n  in two\r\n  lines', '# A\r\n\r\n--- not an end\r\n')
  t.match(parseSkill(folded.replaceAll('---\n', '---\r\n')), {
    skill: { description: 'in two lines', body: '# A\r\n\r\n--- not an end' },
  })
  const others = 'license: MIT\ncompatibility: any\nmetadata:\n  author: x\nallowed-tools: Bash'
  t.match(parseSkill(skill(`${others}\nname: a\ndescription: b`)), { ok: true, skill: { name: 'a' } }, 'known, unused')
})

t.test('every other text is refused with a reason', async (t) => {
  const refused: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    ['nothing', '', /must begin with a line/],
    ['no front matter', '# Refunds', /must begin with a line/],
    ['no end', '---\nname: a\ndescription: b\n', /has no end/],
    ['empty', '---\n---\nx', /must name fields/],
    ['no body', skill('name: a\ndescription: b', ' \n'), /nothing follows/],
    ['no name', skill('description: b'), /needs name/],
    ['no description', skill('name: a'), /needs description/],
    ['a number as name', skill('name: 12\ndescription: b'), /needs name, a text/],
    ['a path as name', skill('name: ../../etc\ndescription: b'), /lower-case words/],
    ['a long name', skill(`name: ${'a'.repeat(65)}\ndescription: b`), /name has more than 64/],
    ['a long description', skill(`name: a\ndescription: ${'b'.repeat(1025)}`), /description has more than 1024/],
    ['a control character', skill('name: a\ndescription: "\\x1b[31m"'), /control character/],
    ['an unknown field', skill('name: a\ndescription: b\nmodel: x'), /unknown field "model"/],
    ['a field of every object', skill('name: a\ndescription: b\n__proto__: {a: 1}'), /unknown field "__proto__"/],
    ['a field twice', skill('name: a\nname: b\ndescription: c'), /must be unique/],
    ['a list', skill('- name: a'), /must name fields/],
    ['not YAML', skill('name: [a'), /is not YAML/],
    ['a type of its own', skill('name: !!js/function "x"\ndescription: b'), /Unresolved tag/],
    ['an alias', skill('name: a\ndescription: &d b\nlicense: *d'), /cannot be taken: .*[Aa]lias/],
    ['a bomb', skill(`a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]`), /cannot be taken: .*[Aa]lias/],
    ['lists in lists', skill('['.repeat(3000)), /too many lists/],
    ['lists in lines', skill('- '.repeat(1500)), /too many lists/],
    ['long front matter', skill(`name: a\ndescription: b\nlicense: ${'x'.repeat(4200)}`), /more than 4096/],
    ['all too long', skill('name: a\ndescription: b', 'x'.repeat(maxSkillCharacters)), /more than 65536/],
  ]
  for (const [name, text, reason] of refused) t.match(parseSkill(text), { ok: false, reason }, name)
})

t.test('skills of a package', async (t) => {
  const { files } = packageOf(smallest(), { 'skills/refunds/SKILL.md': sound })
  t.same([...skillsIn(Object.entries(files)).keys()], ['refunds'])
  t.match(faultsOf(smallest(), { 'skills/returns/SKILL.md': sound }), [
    { file: 'skills/returns/SKILL.md', reason: 'its name is "refunds"; it must be that of its folder' },
  ])
  t.match(faultsOf(smallest(), { 'skills/refunds/SKILL.md': sound.repeat(2000) }), [{ reason: 'more than 65536' }])
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`skills/s${at}/SKILL.md`, 'x']))
  t.same(faultsOf(smallest(), many), [{ file: 'skills', path: '', reason: 'a package has at most 50 skills' }])
})
