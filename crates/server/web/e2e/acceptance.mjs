// A planner's first 60 seconds, once by keyboard alone and once by mouse.
import assert from 'node:assert/strict'
import { axe, card, distinctColours, noProblems, open, settled, timed } from './browser.mjs'

const HOME = 'map=18.00/42.373500/-71.109500'
const text = (page, selector) => page.locator(selector).first().textContent()
const focused = (page, selector) => page.evaluate((s) => document.activeElement?.matches(s) ?? false, selector)

/** Types into the search box and gives the time from the last key to the drawn answers. */
async function search(t, page, query) {
  await page.evaluate(() => {
    window.answered = undefined
    const box = document.querySelector('#answers')
    document.querySelector('[role=combobox]').addEventListener('input', () => (window.asked = performance.now()))
    new MutationObserver(() => {
      if (!box.hidden && box.dataset.settled === 'true') window.answered = performance.now()
    }).observe(box, { attributes: true, childList: true, subtree: true })
  })
  await page.keyboard.type(query)
  await page.waitForFunction(() => window.answered > window.asked && document.querySelectorAll('.answer').length > 0)
  const ms = await page.evaluate(() => window.answered - window.asked)
  t.note(`answers to “${query}”: ${Math.round(ms)} ms after the last key`)
  return ms
}

async function firstSight(t, options) {
  const page = await timed(t, 'step 1, town drawn (software WebGL)', () => open(t, '', options))
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'uk')
  const { colours, most } = await distinctColours(page, { x: 500, y: 100, width: 800, height: 700 })
  assert.ok(colours > 50 && most < 0.9, `the canvas is blank: ${colours} colours, ${most} of one`)
  assert.equal(await page.locator('dialog[open]').count(), 0, 'nothing stands before the map')
  return page
}

export default {
  async 'by keyboard alone'(t) {
    const page = await firstSight(t)
    await page.evaluate(() => addEventListener('mousedown', () => (window.mouse = true), true))

    await timed(t, 'step 2, parcel by number without its dash', async () => {
      await page.keyboard.press('/')
      assert.ok(await focused(page, '[role=combobox]'))
      // The aim is 100 ms on a quiet machine; the noted time tells. A second means that something is broken.
      assert.ok((await search(t, page, '127 123')) < 1000)
      await page.keyboard.press('ArrowDown')
      assert.equal(await page.locator('.answer[aria-selected=true]').count(), 1)
      await page.keyboard.press('Enter')
      await card(page).getByText('127-123').waitFor()
      await settled(page)
    })
    await timed(t, 'step 2, coordinates', async () => {
      await page.keyboard.press('Escape')
      await page.keyboard.press('/')
      await page.keyboard.press('Escape')
      await page.keyboard.press('/')
      await page.evaluate(() => document.activeElement.select())
      await search(t, page, '42,3735; -71,1095')
      await page.keyboard.press('Enter')
      await settled(page)
      const center = await page.evaluate(() => window.hromada.map.getCenter().toArray())
      assert.ok(Math.abs(center[0] + 71.1095) < 1e-4 && Math.abs(center[1] - 42.3735) < 1e-4, String(center))
      assert.ok(await focused(page, '.maplibregl-canvas'), 'the map has the focus after coordinates')
      assert.equal(await page.locator('.crosshair').count(), 1)
    })
    await timed(t, 'step 3, what is at the crosshair', async () => {
      for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight')
      await settled(page)
      await page.keyboard.press('Enter')
      await page.locator('article dl.rows').waitFor()
      assert.ok(await focused(page, 'article h2'), 'the card has the focus')
      assert.match(await text(page, '.pager'), /1 з [2-9]/)
      await page.keyboard.press(']')
      assert.match(await text(page, '.pager'), /2 з/)
      await page.keyboard.press('[')
      assert.match(await text(page, '.size'), /[Пп]лоща.*м²/)
    })
    await timed(t, 'step 4, a task preset', async () => {
      await page.keyboard.press('Escape')
      assert.equal(await page.locator('article').count(), 0)
      assert.ok(await focused(page, '.maplibregl-canvas'), 'the map has the focus again')
      await page.keyboard.press('l')
      await page.locator('.preset').nth(1).focus()
      await page.keyboard.press('Enter')
      await settled(page)
      assert.match(page.url(), /preset=zoning/)
      assert.ok((await page.evaluate(() => window.hromada.map.queryRenderedFeatures({ layers: ['zoning fill'] }).length)) > 0)
    })
    await timed(t, 'step 5, an area', async () => {
      await page.keyboard.press('a')
      await page.keyboard.press('m')
      for (const key of ['ArrowRight', 'ArrowDown', 'ArrowLeft']) {
        await page.keyboard.press('Enter')
        await page.keyboard.press(key)
        await settled(page)
      }
      await page.keyboard.press('Enter')
      assert.match(await text(page, '[data-measure=area]'), /[\d\s]+,\d.*м²|га/)
      assert.equal(await page.locator('.measure ol li').count(), 4)
      await page.keyboard.press('Backspace')
      assert.equal(await page.locator('.measure ol li').count(), 3)
    })
    const sent = {}
    await timed(t, 'step 6, copy link', async () => {
      // Away from the map, so that its crosshair is no longer the corner to come.
      await page.keyboard.press('Tab')
      await page.keyboard.press('c')
      sent.link = await page.evaluate(() => navigator.clipboard.readText())
      assert.equal(sent.link, page.url())
      Object.assign(sent, { area: await text(page, '[data-measure=area]'), count: await text(page, '.tablist b') })
    })
    await timed(t, 'step 8, Esc goes back level by level', async () => {
      await page.keyboard.press('Escape')
      await page.locator('.measure').waitFor({ state: 'detached' })
      await page.keyboard.press('o')
      await page.locator('.item').first().focus()
      const key = await page.evaluate(() => document.activeElement.dataset.key)
      await page.keyboard.press('Enter')
      await page.locator('article dl').first().waitFor()
      await page.keyboard.press('?')
      await page.locator('dialog[open]').waitFor()
      await page.keyboard.press('Escape')
      await page.locator('dialog[open]').waitFor({ state: 'detached' })
      await page.keyboard.press('Escape')
      await page.waitForFunction((k) => document.activeElement?.dataset.key === k, key)
      await page.keyboard.press('Escape')
      await page.locator('.presets').waitFor()
    })
    assert.equal(await page.evaluate(() => window.mouse), undefined, 'no mouse was used')
    await axe(page, 'after the keyboard script')
    noProblems(page)
    await timed(t, 'step 6, the receiver sees the same', async () => {
      const other = await open(t, sent.link.split('#')[1])
      assert.equal(await text(other, '[data-measure=area]'), sent.area)
      assert.equal(await text(other, '.tablist b'), sent.count)
      noProblems(other)
    })
  },

  async 'by mouse'(t) {
    const page = await firstSight(t)
    await timed(t, 'step 2, parcel by address', async () => {
      await page.locator('[role=combobox]').click()
      await search(t, page, '88 ellery')
      await page.locator('.answer').first().click()
      await page.locator('article dl.rows').waitFor()
      await settled(page)
      assert.match(await page.locator('article').textContent(), /88 ELLERY ST/)
    })
    await timed(t, 'step 3, another parcel by a click', async () => {
      const before = await card(page).textContent()
      await page.mouse.click(1250, 300)
      await page.waitForFunction((b) => document.querySelector('article h2') && document.querySelector('article h2').textContent !== b && document.querySelector('article dl.rows'), before)
      assert.ok((await page.locator('.stack li').count()) > 1, 'stacked features are a list')
      await page.locator('.stack button').nth(1).click()
      await page.locator('.stack [aria-current]').nth(0).waitFor()
      assert.match(await text(page, '.pager'), /2 з/)
    })
    await timed(t, 'step 4, a task preset', async () => {
      await page.locator('.tablist button').first().click()
      await page.locator('.preset').nth(2).click()
      await settled(page)
      assert.ok((await page.evaluate(() => window.hromada.map.queryRenderedFeatures({ layers: ['hydrants hit'] }).length)) > 0)
      assert.equal(await page.locator('.preset').count(), 3, 'a task without imagery is not offered')
      assert.match(page.url(), /preset=networks/)
    })
    await timed(t, 'step 5, a distance', async () => {
      await page.locator('.controls [aria-pressed]').first().click()
      await page.mouse.click(800, 300)
      await page.mouse.move(900, 500)
      const live = await text(page, '[data-measure=length]')
      assert.match(live, /\d.* м/)
      await page.mouse.click(900, 500)
      await page.mouse.move(901, 640)
      assert.notEqual(await text(page, '[data-measure=length]'), live, 'the length follows the mouse')
    })
    await timed(t, 'step 6, copy link', async () => {
      await page.locator('.brand button').nth(1).click()
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url())
    })
    await timed(t, 'step 8, browser Back', async () => {
      await page.goBack()
      await page.waitForFunction(() => !document.querySelector('.measure'))
      await page.goBack()
      await page.waitForFunction(() => document.querySelector('.preset[aria-pressed=true]') && !location.hash.includes('preset=networks'))
      await page.goBack()
      await page.locator('article h2').waitFor()
    })
    noProblems(page)
  },

  async 'the same script in English'(t) {
    const page = await open(t, `${HOME}&lang=en`, { locale: 'en-GB' })
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en')
    assert.match(await text(page, '.tablist'), /Layers.*In view/)
    await page.locator('.langs button').first().click()
    await page.locator('.tablist').getByText('Шари').waitFor()
    assert.match(page.url(), /lang=uk/)
    await page.reload()
    await settled(page)
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'uk')
    noProblems(page)
  },
}
