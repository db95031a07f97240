// A real Chromium with software WebGL, and what the tests ask of a page.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { inflateSync } from 'node:zlib'
import { chromium } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const FLAGS = [
  '--headless=new', '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
]
export const DESKTOP = { width: 1440, height: 900 }
export const PHONE = { width: 390, height: 844 }
/** Software WebGL on two cores is slow; a real machine needs a tenth. */
const SLOW = 60_000

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS })
}

/** A page of its own profile. Errors of the page, and requests to any other host, fail the test that caused them. */
export async function open(t, hash = '', options = {}) {
  const context = await t.browser.newContext({ viewport: DESKTOP, locale: 'uk-UA', colorScheme: 'light', reducedMotion: 'reduce', ...options })
  t.contexts.push(context)
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: t.origin })
  const page = await context.newPage()
  page.setDefaultTimeout(SLOW)
  page.problems = []
  page.on('pageerror', (e) => page.problems.push(`error: ${e.message}`))
  page.on('console', (m) => {
    // Chromium's own notes on software rendering say nothing about us.
    if (['error', 'warning'].includes(m.type()) && !/GL Driver Message|GPU stall/.test(m.text())) page.problems.push(`console: ${m.text()}`)
  })
  page.on('request', (r) => {
    if (!r.url().startsWith(t.origin) && !/^(data|blob):/.test(r.url())) page.problems.push(`outside request: ${r.url()}`)
  })
  await page.goto(`${t.origin}/app/${hash ? `#${hash}` : ''}`)
  await settled(page)
  return page
}

/** The map is drawn, and the list has been made from it. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const map = window.hromada?.map
    return map?.loaded() && !map.isMoving() && document.querySelector('.tablist b')
  })
  // The list follows the map's rest; two equal readings a frame apart mean that nothing more is under way.
  await page.evaluate(async () => {
    const frame = () => new Promise((r) => requestAnimationFrame(r))
    let before = ''
    for (let same = 0; same < 3; ) {
      await frame()
      await frame()
      const now = `${document.querySelector('.tablist b')?.textContent}|${window.hromada.map.loaded()}|${location.hash}`
      same = now === before ? same + 1 : 0
      before = now
    }
  })
}

export function noProblems(page) {
  assert.deepEqual(page.problems, [])
}

/** Rules of WCAG 2.2 A and AA, and axe's good practices. */
export async function axe(page, name) {
  await page.evaluate(AXE)
  const found = await page.evaluate(async () => {
    const result = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join(' | ')}`)
  })
  assert.deepEqual(found, [], `axe in state ${name}`)
}

/** Every target is at least 24 × 24 px (WCAG 2.2, 2.5.8), and nothing is wider than the window (1.4.10). */
export async function targets(page, name) {
  const found = await page.evaluate(() => {
    const small = [...document.querySelectorAll('button, a[href], input, select')].flatMap((e) => {
      const box = (e.closest('label') ?? e).getBoundingClientRect()
      const hidden = box.width <= 1 || box.bottom < 0 || !e.checkVisibility()
      return hidden || (box.width >= 24 && box.height >= 24) || getComputedStyle(e).display === 'inline' ? [] : [`${e.outerHTML.slice(0, 80)} ${box.width}×${box.height}`]
    })
    // Fixed boxes do not widen the page: what sticks out of the window is looked for one by one.
    const out = [...document.querySelectorAll('button, input, a[href]')].flatMap((e) => {
      const box = e.getBoundingClientRect()
      const shown = e.checkVisibility() && box.width > 1 && !e.closest('.skips')
      // Of the header nothing sticks out of its card either.
      const edge = e.closest('header.card')?.getBoundingClientRect().right ?? innerWidth + 1
      return shown && (box.left < -1 || box.right > edge) ? [e.outerHTML.slice(0, 80)] : []
    })
    return { small, out, wide: document.documentElement.scrollWidth - innerWidth }
  })
  assert.deepEqual(found, { small: [], out: [], wide: 0 }, name)
}

/** Colours of the map part of a screenshot: a blank canvas has one or two. */
export async function distinctColours(page, clip) {
  const { width, height, pixels, channels } = decode(await page.screenshot({ clip }))
  const seen = new Map()
  for (let i = 0; i < width * height * channels; i += channels) {
    const key = (pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  const most = Math.max(...seen.values()) / (width * height)
  return { colours: seen.size, most }
}

/** PNG as Chromium writes it: 8 bits a channel, no interlace. */
function decode(png) {
  const width = png.readUInt32BE(16), height = png.readUInt32BE(20)
  const channels = png[25] === 6 ? 4 : 3
  const parts = []
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  }
  const raw = inflateSync(Buffer.concat(parts))
  const row = width * channels
  const pixels = new Uint8Array(row * height)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)]
    for (let x = 0; x < row; x++) {
      const a = x >= channels ? pixels[y * row + x - channels] : 0
      const b = y > 0 ? pixels[(y - 1) * row + x] : 0
      const c = x >= channels && y > 0 ? pixels[(y - 1) * row + x - channels] : 0
      const p = Math.abs(b - c), q = Math.abs(a - c), r = Math.abs(a + b - 2 * c)
      const guess = [0, a, b, (a + b) >> 1, p <= q && p <= r ? a : q <= r ? b : c][filter]
      pixels[y * row + x] = raw[y * (row + 1) + 1 + x] + guess
    }
  }
  return { width, height, pixels, channels }
}

/** Times a step and notes it. */
export async function timed(t, name, step) {
  const started = performance.now()
  const result = await step()
  t.note(`${name}: ${Math.round(performance.now() - started)} ms`)
  return result
}

/** Presses Tab until the focus is on what `selector` names; the count is what a keyboard user pays. */
export async function tabTo(page, selector, most = 80) {
  for (let i = 1; i <= most; i++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return i
  }
  throw new Error(`Tab does not reach ${selector}`)
}

export const card = (page) => page.locator('article h2')
