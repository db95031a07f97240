// Every state is a link: a reload, and a receiver, see the same.
import assert from 'node:assert/strict'
import { noProblems, open, settled } from './browser.mjs'

const seen = (page) =>
  page.evaluate(() => {
    const map = window.hromada.map
    return {
      view: [map.getZoom().toFixed(2), ...map.getCenter().toArray().map((v) => v.toFixed(5))].join(),
      lang: document.documentElement.lang,
      theme: document.documentElement.dataset.theme,
      layers: map.getStyle().layers.map((l) => l.id).filter((id) => !id.startsWith('app ')).join(),
      preset: document.querySelector('.preset[aria-pressed=true]')?.textContent?.trim() ?? '',
      title: document.querySelector('article h2, .measure .big, .body > .total')?.textContent ?? '',
      pager: document.querySelector('.pager span')?.textContent ?? '',
      filter: document.querySelector('.filter input')?.value ?? '',
      chip: document.querySelector('.chip[aria-pressed=true]')?.textContent ?? '',
      count: document.querySelector('.tablist b')?.textContent,
    }
  })

const LINKS = {
  'a view': 'map=16.25/42.371000/-71.112000&lang=en&theme=dark',
  'a preset': 'map=16.25/42.371000/-71.112000&preset=networks&lang=uk',
  'layers of one’s own': 'map=16.25/42.371000/-71.112000&layers=parcels,hydrants&lang=uk',
  'no layers': 'map=16.25/42.371000/-71.112000&layers=-&lang=uk',
  'a stack of features': 'map=17.00/42.371000/-71.112000&sel=parcels/1,zoning/1&n=1&lang=uk',
  'a filtered list': 'map=17.00/42.371000/-71.112000&preset=networks&panel=list&only=hydrants&lang=uk',
  'a layer filter': 'map=17.00/42.371000/-71.112000&filter=гідр&lang=uk',
  'a measurement': 'map=17.00/42.371000/-71.112000&measure=area,-71.1120000/42.3710000,-71.1110000/42.3710000,-71.1110000/42.3716000&lang=uk',
  'no panel': 'map=16.25/42.371000/-71.112000&panel=none&lang=uk',
}

const tests = {}
for (const [name, hash] of Object.entries(LINKS)) {
  tests[`${name} comes back after a reload`] = async (t) => {
    const page = await open(t, hash)
    if (hash.includes('sel=')) await page.locator('article dl').first().waitFor()
    const before = await seen(page)
    const link = page.url()
    await page.reload()
    await settled(page)
    if (hash.includes('sel=')) await page.locator('article dl').first().waitFor()
    assert.deepEqual(await seen(page), before)
    assert.equal(page.url(), link)
    for (const part of hash.split('&')) {
      if (!/^preset=cadastre/.test(part)) assert.ok(decodeURIComponent(link).includes(part.split('=')[0]), `${part} is in ${link}`)
    }
    noProblems(page)
  }
}

Object.assign(tests, {
  async 'moving the map keeps the link current without filling the history'(t) {
    const page = await open(t, 'map=16.00/42.373500/-71.109500&lang=uk')
    const steps = await page.evaluate(() => history.length)
    await page.evaluate(() => window.hromada.map.focus?.())
    await page.locator('.maplibregl-canvas').focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('+')
    await settled(page)
    assert.doesNotMatch(page.url(), /map=16\.00\/42\.373500\/-71\.109500/)
    assert.equal(await page.evaluate(() => history.length), steps)
  },
  async 'Back and Forward walk through panels and selections'(t) {
    const page = await open(t, 'map=18.00/42.373500/-71.109500&lang=uk')
    await page.keyboard.press('o')
    await page.locator('.item').first().click()
    await page.locator('article h2').waitFor()
    await page.goBack()
    await page.locator('.item').first().waitFor()
    await page.goBack()
    await page.locator('.presets').waitFor()
    await page.goForward()
    await page.goForward()
    await page.locator('article h2').waitFor()
    noProblems(page)
  },
  async 'a link whose first object is gone keeps the rest of its stack'(t) {
    const page = await open(t, 'map=17.00/42.371000/-71.112000&sel=parcels/none,zoning/1&lang=en')
    await page.locator('article').getByRole('alert').getByText('Parcels').waitFor()
    assert.match(await page.locator('.pager').textContent(), /1 of 2/)
    await page.locator('.stack button').nth(1).click()
    await page.locator('article dl.rows').waitFor()
    assert.equal(await page.locator('article').getByRole('alert').count(), 0)
  },
  async 'a link that makes no sense still opens the map'(t) {
    const page = await open(t, 'map=x/y&sel=nothing/0&layers=none,%E0%A4&preset=magic&measure=volume&n=99')
    await page.locator('.presets, article').first().waitFor()
    assert.ok(await page.evaluate(() => window.hromada.map.loaded()))
  },
})
export default tests
