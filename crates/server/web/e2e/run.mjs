// Browser tests against a running server with the samples: the acceptance script by keyboard and by mouse, every state
// under axe, links, phone width, both languages.
//
//   HROMADA_URL=http://127.0.0.1:8080 npm run e2e [PART OF A NAME]
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { launch } from './browser.mjs'

const origin = process.env.HROMADA_URL
if (!origin) {
  console.error('HROMADA_URL is not set: the address of a running server with the samples, such as http://127.0.0.1:8080')
  process.exit(2)
}
const results = fileURLToPath(new URL('../test-results', import.meta.url))
mkdirSync(results, { recursive: true })

const suites = ['acceptance', 'states', 'links', 'agreement', 'safety', 'pages', 'history', 'editing']
const only = process.argv[2]
const tests = []
for (const name of suites) {
  const { default: list } = await import(`./${name}.mjs`)
  for (const [title, body] of Object.entries(list)) tests.push({ title: `${name}: ${title}`, body })
}

const browser = await launch()
let passed = 0
const failed = []
for (const { title, body } of tests) {
  if (only && !title.includes(only)) continue
  const started = performance.now()
  const notes = []
  const t = { browser, origin: origin.replace(/\/$/, ''), results, note: (text) => notes.push(text), contexts: [] }
  try {
    await body(t)
    passed++
    console.log(`ok   ${title} (${Math.round(performance.now() - started)} ms)`)
  } catch (error) {
    failed.push(title)
    console.log(`FAIL ${title}\n     ${String(error?.stack ?? error).split('\n').slice(0, 12).join('\n     ')}`)
    const page = t.contexts.at(-1)?.pages().at(0)
    await page?.screenshot({ path: `${results}/failed-${failed.length}.png` }).catch(() => undefined)
  }
  for (const text of notes) console.log(`     ${text}`)
  for (const context of t.contexts) await context.close().catch(() => undefined)
}
await browser.close()
console.log(`\n${passed} passed, ${failed.length} failed`)
process.exit(failed.length > 0 ? 1 : 0)
