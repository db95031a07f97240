// Every state of the app under axe, with screenshots to look at.
import assert from 'node:assert/strict'
import { axe, DESKTOP, distinctColours, noProblems, open, PHONE, settled, tabTo, targets } from './browser.mjs'

const PLACE = { city: '', street: 'map=16.00/42.373500/-71.109500', parcel: 'map=18.00/42.373500/-71.109500' }
const STATES = {
  layers: '',
  list: 'panel=list',
  card: 'sel=parcels/1,neighborhoods/1',
  measure: 'measure=area,-71.1097/42.3737,-71.1091/42.3736,-71.1092/42.3733',
  'no panel': 'panel=none',
  zoning: 'preset=zoning',
  networks: 'preset=networks',
  'no layers': 'layers=-',
}
const join = (...parts) => parts.filter(Boolean).join('&')

async function check(t, name, hash, options) {
  const page = await open(t, hash, options)
  if (name.includes('card')) await page.locator('article dl.rows').waitFor()
  await axe(page, name)
  await targets(page, name)
  noProblems(page)
  return page
}

const tests = {}
for (const [state, hash] of Object.entries(STATES)) {
  tests[`${state}, desktop`] = (t) => check(t, state, join(PLACE.street, hash), {})
  tests[`${state}, phone`] = (t) => check(t, state, join(PLACE.street, hash), { viewport: PHONE, hasTouch: true, isMobile: true })
}

for (const lang of ['uk', 'en']) {
  for (const [place, hash] of Object.entries(PLACE)) {
    tests[`picture of the ${place}, ${lang}`] = async (t) => {
      for (const [size, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
        const page = await open(t, join(hash, `lang=${lang}`), { viewport })
        await page.screenshot({ path: `${t.results}/${place}-${size}-${lang}.png` })
        const clip = size === 'phone' ? { x: 0, y: 130, width: 340, height: 290 } : { x: 420, y: 60, width: 900, height: 780 }
        const { colours, most } = await distinctColours(page, clip)
        assert.ok(colours > 20 && most < 0.97, `blank canvas: ${colours} colours, ${most} of one`)
        noProblems(page)
        await page.context().close()
      }
    }
  }
}

Object.assign(tests, {
  async 'dark by the system’s setting'(t) {
    const page = await check(t, 'dark', join(PLACE.street, 'preset=zoning'), { colorScheme: 'dark' })
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark')
    await page.screenshot({ path: `${t.results}/street-desktop-dark.png` })
    await page.locator('.brand button').first().click()
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light')
    assert.match(page.url(), /theme=light/)
  },
  async 'help, and single keys switched off'(t) {
    const page = await open(t, PLACE.street)
    await page.keyboard.press('?')
    await page.locator('dialog[open]').waitFor()
    await axe(page, 'help')
    await targets(page, 'help')
    await page.locator('dialog input[type=checkbox]').uncheck()
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('role')), null)
    await page.reload()
    await settled(page)
    await page.keyboard.press('l')
    await page.keyboard.press('?')
    assert.equal(await page.locator('dialog[open]').count(), 0, 'the choice is remembered')
    noProblems(page)
  },
  async 'search answers'(t) {
    const page = await open(t, PLACE.street)
    await page.keyboard.press('/')
    await page.keyboard.type('12')
    await page.locator('.answer').first().waitFor()
    await page.keyboard.press('ArrowDown')
    await axe(page, 'search')
    await page.screenshot({ path: `${t.results}/search.png` })
    await page.keyboard.type('qzxqzx')
    await page.locator('#answers .note').waitFor()
    await axe(page, 'nothing found')
    noProblems(page)
  },
  async 'reflow at 320 pixels'(t) {
    for (const state of ['layers', 'list', 'card', 'measure']) {
      const page = await check(t, `${state} at 320`, join(PLACE.street, STATES[state]), { viewport: { width: 320, height: 640 } })
      await page.screenshot({ path: `${t.results}/narrow-${state}.png` })
      await page.context().close()
    }
  },
  async 'the focus is always in sight'(t) {
    const page = await open(t, join(PLACE.street, 'panel=list'))
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab')
      const seen = await page.evaluate(() => {
        const e = document.activeElement
        if (!e || e === document.body) return 'body'
        const box = e.getBoundingClientRect()
        const at = document.elementFromPoint(box.left + box.width / 2, Math.min(innerHeight - 1, box.top + box.height / 2))
        return e.contains(at) || at?.contains(e) || e.closest('label')?.contains(at) || e.matches('canvas') ? 'seen' : e.outerHTML.slice(0, 120)
      })
      assert.ok(seen === 'seen' || seen === 'body', `covered or out of view: ${seen}`)
    }
  },
  async 'the map is a few Tabs away'(t) {
    const page = await open(t, PLACE.street)
    await tabTo(page, '.skips a', 2)
    await page.keyboard.press('Enter')
    assert.ok(await page.evaluate(() => document.activeElement.matches('.maplibregl-canvas')))
  },
  async 'what a phone finds is eased into the part that the sheet leaves free'(t) {
    const page = await open(t, join(PLACE.street, 'lang=uk'), { viewport: PHONE, hasTouch: true, isMobile: true })
    await page.locator('.tabs > .icon').last().tap()
    await page.locator('[role=combobox]').tap()
    await page.keyboard.type('88 ellery')
    await page.locator('.answer').first().tap()
    await page.locator('article dl.rows').waitFor()
    await settled(page)
    const at = await page.evaluate(() => {
      const map = window.hromada.map
      const { width, height } = document.querySelector('.map').getBoundingClientRect()
      const p = map.getPadding()
      const boxes = map.querySourceFeatures('app selection').flatMap((f) => f.geometry.coordinates.flat(3))
      const points = boxes.flatMap((v, i) => (i % 2 ? [] : [map.project([v, boxes[i + 1]])]))
      const sheet = document.querySelector('.panel').getBoundingClientRect().top
      const header = document.querySelector('header').getBoundingClientRect().bottom
      return { n: points.length, top: Math.min(...points.map((q) => q.y)), bottom: Math.max(...points.map((q) => q.y)), header, sheet, width, height, padding: p }
    })
    assert.ok(at.n > 3 && at.top >= at.header && at.bottom <= at.sheet, JSON.stringify(at))
    noProblems(page)
  },
  async 'the sheet of a phone opens, grows and hides'(t) {
    const page = await open(t, PLACE.street, { viewport: PHONE, hasTouch: true, isMobile: true })
    const height = () => page.locator('.panel').evaluate((e) => e.getBoundingClientRect().height)
    const half = await height()
    await page.locator('.tabs > .icon').first().tap()
    assert.ok((await height()) > half * 1.4)
    await axe(page, 'full sheet')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    assert.ok((await height()) < 80)
    await axe(page, 'closed sheet')
    await page.touchscreen.tap(180, 300)
    await page.locator('article dl.rows').waitFor()
    assert.ok((await height()) > 300, 'a tap on the map opens the card')
    await page.screenshot({ path: `${t.results}/card-phone.png` })
    noProblems(page)
  },
})

export default tests
