import { existsSync } from 'node:fs'

// npm run bench -- NAME: runs test/bench/NAME.ts.

const [name = ''] = process.argv.slice(2)
const file = new URL(`${name}.ts`, import.meta.url)
if (!/^[a-z-]+$/.test(name) || name === 'main' || !existsSync(file)) {
  console.error('usage: npm run bench -- hot-path | runs | fairness')
  process.exit(2)
}
await import(file.href)
