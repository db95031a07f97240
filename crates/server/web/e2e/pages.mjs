// The small map on the server's own HTML pages.
import assert from 'node:assert/strict'
import { axe, distinctColours } from './browser.mjs'

const PAGES = { 'a collection': '/collections/parcels', 'its items': '/collections/hydrants/items', 'one item': '/collections/parcels/items/1' }

const tests = {}
for (const [name, path] of Object.entries(PAGES)) {
  tests[`${name} has a drawn map under the page’s policy`] = async (t) => {
    const context = await t.browser.newContext({ viewport: { width: 1200, height: 900 }, locale: 'uk-UA' })
    t.contexts.push(context)
    const page = await context.newPage()
    const problems = []
    page.on('pageerror', (e) => problems.push(e.message))
    // Browsers ask for /favicon.ico by themselves; a page without one is no fault of its map.
    page.on('console', (m) => m.type() === 'error' && !m.location().url.endsWith('/favicon.ico') && problems.push(`${m.text()} ${m.location().url}`))
    await page.goto(`${t.origin}${path}`)
    await page.waitForFunction(() => document.querySelector('#page-map')?.map?.loaded(), null, { timeout: 60_000 })
    await page.locator('#page-map').scrollIntoViewIfNeeded()
    const clip = await page.locator('#page-map').boundingBox()
    const { colours, most } = await distinctColours(page, clip)
    assert.ok(colours > 20 && most < 0.99, `blank map: ${colours} colours, ${most} of one`)
    await page.screenshot({ path: `${t.results}/page-${name.replaceAll(' ', '-')}.png` })
    await axe(page, name)
    assert.deepEqual(problems, [])
  }
}
export default tests
