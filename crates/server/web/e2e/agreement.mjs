// The list equals the map, and both equal what the API says.
import assert from 'node:assert/strict'
import { noProblems, open, settled } from './browser.mjs'

const PLACES = ['map=17.20/42.373500/-71.109500', 'map=18.30/42.362800/-71.111300', 'map=16.00/42.381000/-71.130000']

/** West, south, east, north of the part of the map that no panel covers. */
const freeBox = (page) =>
  page.evaluate(() => {
    const map = window.hromada.map
    const p = map.getPadding()
    const c = map.getCanvas()
    const a = map.unproject([p.left, c.clientHeight - p.bottom]), b = map.unproject([c.clientWidth - p.right, p.top])
    return [a.lng, a.lat, b.lng, b.lat]
  })

const tests = {}
for (const place of PLACES) {
  tests[`counts of the list equal the API’s at ${place}`] = async (t) => {
    const page = await open(t, `${place}&panel=list&preset=networks&lang=uk`)
    const box = await freeBox(page)
    // What lies within a few pixels of the edge may be in one and not the other: symbols are wider than their points.
    const size = [(box[2] - box[0]) / 200, (box[3] - box[1]) / 200]
    const inner = [box[0] + size[0], box[1] + size[1], box[2] - size[0], box[3] - size[1]]
    const outer = [box[0] - size[0] * 3, box[1] - size[1] * 3, box[2] + size[0] * 3, box[3] + size[1] * 3]
    const counts = await page.locator('.chip[data-collection]').evaluateAll((chips) => chips.map((c) => [c.dataset.collection, Number(c.dataset.count)]))
    assert.ok(counts.length >= 4, JSON.stringify(counts))
    for (const [id, n] of counts) {
      const matched = async (b) => (await (await fetch(`${t.origin}/collections/${id}/items?f=json&limit=1&bbox=${b.join(',')}`)).json()).numberMatched
      const [least, most] = [await matched(inner), await matched(outer)]
      t.note(`${id}: list ${n}, API ${least} to ${most}`)
      assert.ok(n >= least && n <= most, `${id}: ${n} in the list, ${least} to ${most} by the API`)
    }
    noProblems(page)
  }
}

Object.assign(tests, {
  async 'what a click finds is in the list, and what the list names can be opened'(t) {
    const page = await open(t, 'map=18.00/42.373500/-71.109500&panel=list&preset=networks&lang=uk')
    const listed = async () => {
      for (let more; (more = page.locator('.button.wide')), (await more.count()) > 0; ) await more.click()
      return new Set(await page.locator('.item').evaluateAll((items) => items.map((i) => i.dataset.key)))
    }
    const keys = await listed()
    assert.equal(keys.size, Number(await page.locator('.total').getAttribute('data-total')))
    for (const [x, y] of [[620, 300], [800, 520], [1000, 420], [1200, 700], [560, 760]]) {
      await page.mouse.click(x, y)
      await page.waitForFunction(() => location.hash.includes('sel='))
      const found = decodeURIComponent(/sel=([^&]*)/.exec(page.url())[1]).split(',')
      for (const key of found) assert.ok(keys.has(key), `${key} was clicked but is not in the list`)
      await page.keyboard.press('Escape')
      await page.locator('.item').first().waitFor()
    }
    await page.locator('.item').nth(5).click()
    await page.locator('article dl').first().waitFor()
    noProblems(page)
  },
  async 'the list is sorted by distance from the crosshair and follows the map'(t) {
    const page = await open(t, 'map=18.00/42.373500/-71.109500&panel=list&lang=en')
    const metres = () => page.locator('.item .distance').evaluateAll((d) => d.map((e) => (/centre/.test(e.textContent) ? 0 : Number.parseFloat(e.textContent.replace(',', '')) * (/km/.test(e.textContent) ? 1000 : 1))))
    const before = await metres()
    assert.deepEqual(before, [...before].sort((a, b) => a - b))
    assert.equal(before[0], 0)
    const first = await page.locator('.item').first().getAttribute('data-key')
    await page.locator('.maplibregl-canvas').focus()
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
    await settled(page)
    assert.notEqual(await page.locator('.item').first().getAttribute('data-key'), first)
    await page.waitForFunction(() => /features in view; /.test(document.querySelector('[aria-live=polite].hidden')?.textContent ?? ''))
  },
  async 'a map at rest rests'(t) {
    const page = await open(t, 'map=18.00/42.373500/-71.109500&preset=networks&lang=en')
    const idles = await page.evaluate(async () => {
      const map = window.hromada.map
      let n = 0
      map.on('render', () => n++)
      // Fifty frames without anybody touching it.
      for (let i = 0; i < 50; i++) await new Promise((r) => requestAnimationFrame(r))
      return n
    })
    assert.ok(idles <= 5, `${idles} renderings of a map that nobody moves`)
  },
  async 'the legend names what is in view, and offers to zoom in for the rest'(t) {
    const page = await open(t, 'map=13.00/42.373500/-71.109500&lang=en')
    const legend = page.locator('.legend')
    assert.match(await legend.textContent(), /Parcels\s*zoom in/)
    await legend.locator('.far', { hasText: 'Parcels' }).locator('button').click()
    await settled(page)
    assert.doesNotMatch(await legend.textContent(), /Parcels\s*zoom in/)
    await page.locator('.preset').nth(1).click()
    await settled(page)
    assert.match(await legend.textContent(), /Open space|Residential/)
  },
})
export default tests
