// A small town of its own with accounts, on a server of its own: tests that change data leave the samples alone.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PASSWORD = 'correct horse battery staple'
const WAIT_MS = 60_000

/** The program that is tested: named by `HROMADA_BINARY`, else the one that was built last. */
function binary() {
  const built = ['release', 'debug'].map((kind) => fileURLToPath(new URL(`../../../../target/${kind}/hromada`, import.meta.url)))
  const found = [process.env.HROMADA_BINARY, ...built].find((path) => path && existsSync(path))
  if (!found) throw new Error('HROMADA_BINARY names no program, and none is built: the tests of editing begin a server of their own')
  return found
}

/**
 * `collections`: by id, what the manifest says of each, with `features`. `people`: role by account.
 * The answer's `link(account)` is an address by which a browser signs in, `token` is of a program that may write.
 */
export async function town({ collections, rules = {}, people = {} }) {
  const program = binary()
  const folder = mkdtempSync(join(tmpdir(), 'hromada-town-'))
  const data = join(folder, 'data')
  const run = (...args) => execFileSync(program, ['--data', data, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const manifest = { version: 1, collections: [] }
  for (const [id, { features, ...about }] of Object.entries(collections)) {
    writeFileSync(join(folder, `${id}.geojson`), JSON.stringify({ type: 'FeatureCollection', features }))
    manifest.collections.push({ file: `${id}.geojson`, collection: id, access: 'public', license: 'CC0-1.0', attribution: 'Test', ...about })
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  run('import', '--quiet', '--manifest', join(folder, 'manifest.json'))
  for (const [id, rule] of Object.entries(rules)) {
    writeFileSync(join(folder, 'rules.json'), JSON.stringify(rule))
    run('access', 'set', id, '--file', join(folder, 'rules.json'))
  }
  for (const [account, role] of Object.entries(people)) run('user', 'add', account, '--quiet', '--name', account, '--role', role)
  run('user', 'add', 'robot', '--quiet', '--machine', '--name', 'Robot', '--role', 'gis-editor')
  const { token } = JSON.parse(run('token', 'new', 'robot', '--scope', 'read', '--scope', 'write', '--json'))

  const server = spawn(program, ['--data', data, 'serve', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const origin = await new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => {
      server.kill()
      reject(new Error(`the server did not start: ${said}`))
    }, WAIT_MS)
    const hear = (chunk) => {
      said += chunk
      const url = /http:\/\/[0-9.]+:\d+/.exec(said)?.[0]
      if (!url) return
      clearTimeout(timer)
      resolve(url)
    }
    server.stdout.on('data', hear)
    server.stderr.on('data', hear)
    server.on('exit', () => reject(new Error(`the server ended: ${said}`)))
  })
  return {
    origin,
    token,
    /** A request of the program that may write: somebody else than the one in the browser. */
    async robot(method, path, body, headers = {}) {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const response = await fetch(`${origin}${path}`, { method, headers: { Authorization: `Bearer ${token}`, Accept: 'application/json', 'Content-Type': type, ...headers }, body: body === undefined ? undefined : JSON.stringify(body) })
      const text = await response.text()
      return { status: response.status, etag: response.headers.get('etag'), body: text ? JSON.parse(text) : undefined }
    },
    /** Signs a page in as the account: by a link the first time, by the password then. */
    async signIn(page, account) {
      const { link } = JSON.parse(run('user', 'link', account, '--json', '--base-url', origin))
      await page.goto(link)
      await page.locator('input[name=new]').fill(PASSWORD)
      await page.locator('main form button').click()
      await page.waitForURL(/\/account/)
    },
    async end() {
      server.removeAllListeners('exit')
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
