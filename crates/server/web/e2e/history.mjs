// News of changes, the history of a feature, the map of a past day: each test on a town and a server of its own.
import assert from 'node:assert/strict'
import { axe, noProblems, open as openPage, PHONE, settled, targets } from './browser.mjs'
import { town } from './town.mjs'

const PLACE = 'map=17.50/48.921000/24.711000&layers=parcels,trees&lang=en'
const NUMBER = (n) => `2610100000:06:003:${String(n).padStart(4, '0')}`
/** Four parcels in a row, each 0.001 degrees wide. */
const square = (i, top = 48.9215) => [[[24.709 + i / 1000, 48.9205], [24.71 + i / 1000, 48.9205], [24.71 + i / 1000, top], [24.709 + i / 1000, top], [24.709 + i / 1000, 48.9205]]]
const parcel = (n, i, note = 'as imported') => ({ type: 'Feature', geometry: { type: 'Polygon', coordinates: square(i) }, properties: { cadnum: NUMBER(n), use: 'housing', note } })

const TOWN = {
  collections: {
    parcels: { features: [1, 2, 3, 4].map((n, i) => parcel(n, i)), id: 'cadnum', label: 'cadnum', theme: 'cadastre', title: { uk: 'Ділянки', en: 'Parcels' } },
    trees: {
      features: [0, 1, 2].map((i) => ({ type: 'Feature', geometry: { type: 'Point', coordinates: [24.7095 + i / 1000, 48.9203] }, properties: { kind: 'lime', height: 5 + i } })),
      theme: 'other', title: { uk: 'Дерева', en: 'Trees' },
    },
  },
}

function inTown(body) {
  return async (t) => {
    const made = await town(TOWN)
    try {
      await body(Object.assign(t, { origin: made.origin, town: made }))
    } catch (error) {
      await t.contexts.at(-1)?.pages().at(0)?.screenshot({ path: `${t.results}/history-failed.png` }).catch(() => undefined)
      throw error
    } finally {
      for (const context of t.contexts) await context.close().catch(() => undefined)
      await made.end()
    }
  }
}

/** A page of somebody who works for the town, or of nobody. */
function visit(t, hash, { as = 'editor', ...options } = {}) {
  const headers = as === 'editor' ? { extraHTTPHeaders: { Authorization: `Bearer ${t.town.token}` } } : {}
  return openPage(t, hash, { locale: 'en-GB', ...headers, ...options })
}

/** A request of somebody else, outside of any browser. */
async function api(t, method, path, body, headers = {}) {
  const answer = await t.town.robot(method, path, body, headers)
  assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer)}`)
  return answer.body
}
const item = (id, collection = 'parcels') => `/collections/${collection}/items/${encodeURIComponent(id)}`

/** Milliseconds from now until what the map draws of a feature passes `check`, looked at in each frame of the page. */
async function until(page, collection, check, act) {
  await page.evaluate(([collection, check]) => {
    const passes = new Function('features', `return ${check}`)
    window.seenAt = undefined
    const look = () => {
      const features = window.hromada.map.queryRenderedFeatures().filter((f) => f.source === collection).map((f) => ({ ...f.properties, id: f.properties._id ?? f.id, geometry: f.geometry }))
      if (passes(features)) window.seenAt = Date.now()
      else requestAnimationFrame(look)
    }
    look()
  }, [collection, check])
  assert.equal(await page.evaluate(() => window.seenAt), undefined, 'not there before')
  const started = Date.now()
  await act()
  const written = Date.now()
  await page.waitForFunction(() => window.seenAt, undefined, { timeout: 15_000 })
  const seen = await page.evaluate(() => window.seenAt)
  return { fromRequest: seen - started, fromAnswer: seen - written }
}

/** The link says so: a fragment is no navigation that Playwright would wait for. */
const linked = (page, text, is = true) => page.waitForFunction(([text, is]) => location.hash.includes(text) === is, [text, is])

/** The stream is open: without it nothing that follows would be heard. */
const listening = (page) => page.waitForTimeout(700)

const tests = {
  async 'the edit of another is seen within a second'(t) {
    const page = await visit(t, PLACE, { as: 'nobody' })
    const second = await page.context().newPage()
    await second.goto(`${t.origin}/app/#${PLACE}`)
    await settled(second)
    await settled(page)
    await page.bringToFront()
    await listening(page)
    const x = 24.7107
    const took = []
    for (let i = 0; i < 8; i++) {
      const at = [x + i / 10_000, 48.921]
      const { fromRequest } = await until(page, 'trees', `features.some((f) => Math.abs(f.geometry.coordinates[0] - ${at[0]}) < 2e-5)`, () =>
        api(t, 'PATCH', item(1, 'trees'), { geometry: { type: 'Point', coordinates: at } }))
      took.push(fromRequest)
    }
    t.note(`request to drawn: ${took.join(', ')} ms`)
    // Of several: software drawing beside other work has its slow moments.
    assert.ok(took.sort((a, b) => a - b)[took.length >> 1] < 1000, `slower than a second: ${took}`)
    noProblems(page)
  },

  async 'what is added and removed is seen, and the list follows'(t) {
    const page = await visit(t, `${PLACE}&panel=list`, { as: 'nobody' })
    await listening(page)
    const total = async () => Number(await page.locator('.total').getAttribute('data-total'))
    const before = await total()
    const added = await api(t, 'POST', '/collections/trees/items', { type: 'Feature', geometry: { type: 'Point', coordinates: [24.7112, 48.9218] }, properties: { kind: 'oak' } })
    await page.waitForFunction((n) => Number(document.querySelector('.total')?.dataset.total) === n, before + 1, { timeout: 5000 })
    await api(t, 'DELETE', item(added.id, 'trees'))
    await page.waitForFunction((n) => Number(document.querySelector('.total')?.dataset.total) === n, before, { timeout: 5000 })
    noProblems(page)
  },

  async 'a tile that is out of view when something changes is not shown as it was'(t) {
    const page = await visit(t, PLACE, { as: 'nobody' })
    await listening(page)
    await page.evaluate(() => window.hromada.map.jumpTo({ center: [24.76, 48.921] }))
    await settled(page)
    await api(t, 'PATCH', item(2, 'trees'), { geometry: { type: 'Point', coordinates: [24.7122, 48.9219] } })
    await page.waitForTimeout(600)
    await page.evaluate(() => window.hromada.map.jumpTo({ center: [24.711, 48.921] }))
    await settled(page)
    const places = await page.evaluate(() => window.hromada.map.queryRenderedFeatures().filter((f) => f.source === 'trees').map((f) => f.geometry.coordinates[1]))
    assert.ok(places.some((y) => Math.abs(y - 48.9219) < 2e-5), `${places}`)
    noProblems(page)
  },

  async 'an open card follows, and says so'(t) {
    const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(NUMBER(1))}`, { as: 'nobody' })
    await page.locator('article dl.rows').waitFor()
    await listening(page)
    const started = Date.now()
    await api(t, 'PATCH', item(NUMBER(1)), { properties: { note: 'changed by another' } })
    await page.locator('dl.rows dd', { hasText: 'changed by another' }).waitFor({ timeout: 5000 })
    t.note(`request to card: ${Date.now() - started} ms`)
    assert.ok(Date.now() - started < 2000)
    assert.match(await page.locator('[role=status][aria-live=polite]').last().textContent(), /changed just now/)
    await page.locator('article .fresh').waitFor()
    noProblems(page)
  },

  async 'two windows share one stream, and the other takes over'(t) {
    const page = await visit(t, PLACE, { as: 'nobody' })
    const streams = []
    page.context().on('request', (r) => r.url().includes('/changes') && streams.push(r.url()))
    const second = await page.context().newPage()
    await second.goto(`${t.origin}/app/#${PLACE}`)
    await settled(second)
    await listening(second)
    assert.deepEqual(streams, [], 'the second window listens to the first')
    await page.close()
    await second.bringToFront()
    for (let i = 0; i < 40 && streams.length === 0; i++) await second.waitForTimeout(100)
    assert.equal(streams.length, 1, 'the second window has taken over')
    await second.waitForTimeout(300)
    const { fromRequest } = await until(second, 'trees', 'features.some((f) => Math.abs(f.geometry.coordinates[0] - 24.7109) < 2e-5)', () =>
      api(t, 'PATCH', item(3, 'trees'), { geometry: { type: 'Point', coordinates: [24.7109, 48.9212] } }))
    t.note(`after taking over: ${fromRequest} ms`)
    assert.ok(fromRequest < 3000)
  },

  async 'the history: versions, differences in values and place, restoration'(t) {
    const id = NUMBER(2)
    await api(t, 'PATCH', item(id), { properties: { note: 'second state' } }, { 'Hromada-Reason': 'decision no. 12' })
    await api(t, 'PATCH', item(id), { geometry: { type: 'Polygon', coordinates: square(1, 48.9218) } })
    const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(id)}`)
    await page.locator('article').getByRole('button', { name: 'History' }).click()
    await page.locator('.version').first().waitFor()
    assert.equal(await page.locator('.version').count(), 3)
    assert.match(await page.locator('.versions').textContent(), /robot.*decision no\. 12/s)
    // The newest is open, against the one before it: the border moved, nothing else.
    await page.locator('.lines').waitFor()
    const drawn = () => page.evaluate(() => window.hromada.map.querySourceFeatures('app difference').map((f) => f.properties.state).sort().filter((s, i, all) => all.indexOf(s) === i))
    await settled(page)
    assert.deepEqual(await drawn(), ['after', 'before'])
    await axe(page, 'history')
    await targets(page, 'history')
    await page.screenshot({ path: `${t.results}/history-desktop.png` })
    // Between the first and the second only a value differs.
    await page.locator('[data-version="2"]').click()
    await page.locator('table').waitFor()
    assert.match(await page.locator('table').textContent(), /note.*as imported.*second state/s)
    assert.equal(await page.locator('.lines').count(), 0)
    await axe(page, 'difference')
    assert.match(page.url(), /history=1/)
    await page.reload()
    await page.locator('.version').first().waitFor()

    await page.locator('[data-version="1"]').click()
    await page.getByRole('button', { name: 'Restore this version' }).click()
    const confirm = page.getByRole('button', { name: 'Restore version 1' })
    assert.ok(await confirm.isDisabled(), 'a reason is asked for')
    await page.locator('#restore-reason').fill('помилка у рішенні')
    await axe(page, 'restoration')
    await confirm.click()
    await page.locator('[data-version="4"]').waitFor()
    assert.match(await page.locator('[data-version="4"]').textContent(), /restored.*помилка у рішенні/s)
    const now = await api(t, 'GET', item(id))
    assert.equal(now.properties.note, 'as imported')
    assert.deepEqual(now.geometry.coordinates, square(1))
    await page.keyboard.press('Escape')
    await page.locator('article dl.rows dd', { hasText: 'as imported' }).waitFor()
    noProblems(page)
  },

  async 'nothing is restored over what somebody else did meanwhile'(t) {
    const id = NUMBER(1)
    await api(t, 'PATCH', item(id), { properties: { note: 'mine' } })
    const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(id)}&history=1`)
    await page.locator('[data-version="1"]').click()
    await page.getByRole('button', { name: 'Restore this version' }).click()
    await page.locator('#restore-reason').fill('too late')
    // The news of it is held back, so that the page knows the older state only.
    await page.route('**/versions', (route) => route.abort())
    await api(t, 'PATCH', item(id), { properties: { note: 'faster' } })
    await page.waitForTimeout(300)
    await page.unroute('**/versions')
    await page.getByRole('button', { name: 'Restore version 1' }).click()
    await page.getByText('Somebody else changed the feature meanwhile').first().waitFor()
    assert.equal((await api(t, 'GET', item(id))).properties.note, 'faster')
  },

  async 'states that were let go are named; neither shown nor compared nor restored'(t) {
    const id = NUMBER(2)
    for (const note of ['second', 'third', 'fourth']) await api(t, 'PATCH', item(id), { properties: { note } })
    const { versions } = await api(t, 'GET', `${item(id)}/versions`)
    const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(id)}&history=1`)
    const asked = []
    page.on('request', (r) => /versions\/|datetime=/.test(r.url()) && asked.push(decodeURIComponent(r.url()).split('/items/')[1].slice(id.length)))
    /** What the server would say; letting go takes thirty days. */
    const told = async (change) => {
      asked.length = 0
      await page.unroute('**/versions')
      await page.route('**/versions', (route) => route.fulfill({ json: { versions: versions.map(change), keptSince: '2026-01-08T00:00:00.000Z' } }))
      await page.reload()
      await page.locator('.version').first().waitFor()
      await settled(page)
      await page.getByText('States that ended before 8 January 2026 are no longer kept').waitFor()
      assert.equal(await page.locator('.versions > li').count(), 4)
      assert.equal(await page.locator('article [role=alert]').count(), 0)
    }
    const letGo = ({ href: _, ...v }) => ({ ...v, kept: false })

    // Only the newest is kept: it is shown, with nothing to compare.
    await told((v) => (v.version < 4 ? letGo(v) : v))
    await page.locator('.details dd', { hasText: 'fourth' }).waitFor()
    assert.equal(await page.locator('.forgotten', { hasText: 'The state is no longer kept' }).count(), 3)
    assert.equal(await page.locator('.versions button.version').count(), 1)
    assert.equal(await page.locator('.details select').count(), 0)
    assert.deepEqual([...new Set(asked)], ['/versions/4'])
    await axe(page, 'states let go')
    await targets(page, 'states let go')
    await page.screenshot({ path: `${t.results}/history-let-go.png` })
    assert.ok(asked.length < 10, `asked again and again: ${asked.length}`)

    // One is missing in between: the last that is kept is compared with.
    await told((v) => (v.version === 3 ? letGo(v) : v))
    await page.locator('table', { hasText: 'second' }).waitFor()
    assert.deepEqual(await page.locator('.details option').evaluateAll((all) => all.map((o) => o.value)), ['2', '1'])

    // Without numbers.
    await told(({ version: _, ...v }) => ({ ...v, href: `http://elsewhere.test${item(id)}?datetime=${v.from}` }))
    await page.locator('.version').nth(1).click()
    await page.locator('.details dd', { hasText: 'third' }).waitFor()
    assert.equal(await page.locator('.version .n, .details select').count(), 0)
    assert.equal(await page.getByRole('button', { name: 'Restore' }).count(), 0)
    assert.ok(asked.every((path) => path.startsWith('?datetime=')), `${asked}`)
    await axe(page, 'states without numbers')

    await told(letGo)
    await page.getByText('No state of this feature is kept any more').waitFor()
    assert.deepEqual(asked, [])
    noProblems(page)
  },

  async 'the lineage leads to parcels that are gone, and back'(t) {
    const id = NUMBER(3)
    await api(t, 'POST', '/collections/parcels/operations', {
      operation: 'split', id, description: 'division on request',
      line: { type: 'LineString', coordinates: [[24.7115, 48.9204], [24.7115, 48.9216]] },
      pieces: [{ properties: { cadnum: NUMBER(31) } }, { properties: { cadnum: NUMBER(32) } }],
    })
    const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(NUMBER(31))}&history=1`)
    await page.locator('.lineage').waitFor()
    assert.match(await page.locator('.lineage').textContent(), /Came of/)
    await axe(page, 'lineage')
    await page.locator('.lineage .link', { hasText: id }).click()
    await page.getByText('The feature is gone').waitFor()
    assert.match(await page.locator('.lineage').textContent(), /Came of it/)
    await page.screenshot({ path: `${t.results}/lineage.png` })
    await page.locator('.lineage .link', { hasText: NUMBER(32) }).click()
    await page.locator('article h2', { hasText: NUMBER(32) }).waitFor()
    noProblems(page)
  },

  async 'the map of a past day, by keyboard and by typing'(t) {
    const page = await visit(t, PLACE)
    await page.getByRole('button', { name: 'Map of a past day' }).click()
    const slider = page.locator('.strip [type=range]')
    await slider.waitFor()
    const asked = []
    page.on('request', (r) => r.url().includes('/items?') && r.url().includes('as-of=') && asked.push(r.url()))
    await slider.focus()
    await page.locator('.strip [type=date]').fill('2024-03-01')
    await linked(page, 'date=2024-03-01')
    await page.locator('.strip .what', { hasText: 'Map as of 1 March 2024' }).waitFor()
    await settled(page)
    assert.equal(await page.locator('.tablist b').textContent(), '0', 'nothing was there then')
    assert.ok(await page.locator('main.then').count())
    await slider.focus()
    await page.keyboard.press('ArrowRight')
    await linked(page, 'date=2024-03-02')
    await page.keyboard.press('PageDown')
    await linked(page, 'date=2024-02-02')
    // Ten steps in a moment are one question.
    asked.length = 0
    for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowLeft')
    await linked(page, 'date=2024-01-23')
    await settled(page)
    assert.equal(asked.length, 2, `one question a collection: ${asked}`)
    await axe(page, 'time')
    await targets(page, 'time')
    await page.screenshot({ path: `${t.results}/time-desktop.png` })
    const link = page.url()
    await page.reload()
    await page.locator('.strip .what', { hasText: '23 January 2024' }).waitFor()
    assert.equal(page.url(), link)
    await page.getByRole('button', { name: 'Back to today', exact: true }).click()
    await linked(page, 'date=', false)
    await settled(page)
    assert.notEqual(await page.locator('.tablist b').textContent(), '0')
    assert.equal(await page.evaluate(() => JSON.stringify(window.hromada.map.getStyle().sources).includes('as-of')), false)
    noProblems(page)
  },

  async 'a past day is asked of tiles, cards and search, and nothing of it follows today'(t) {
    const page = await visit(t, `${PLACE}&date=2024-03-01&sel=parcels/${encodeURIComponent(NUMBER(1))}`)
    await page.getByText('there was no such feature as of 1 March 2024').waitFor()
    const streams = []
    const searches = []
    page.on('request', (r) => {
      if (r.url().includes('/changes')) streams.push(r.url())
      if (r.url().includes('q=')) searches.push(r.url())
    })
    assert.ok(await page.evaluate(() => Object.values(window.hromada.map.getStyle().sources).filter((s) => s.type === 'vector').every((s) => s.tiles[0].endsWith('?as-of=2024-03-01'))))
    await page.locator('[role=combobox]').fill(NUMBER(1))
    await page.locator('#answers .note').waitFor()
    assert.ok(searches.length > 0 && searches.every((u) => u.includes('as-of=2024-03-01')), `${searches}`)
    assert.equal(await page.getByRole('button', { name: /^Edit/ }).count(), 0)
    assert.deepEqual(streams, [])
  },

  async 'a collection whose state then can’t be told is named, and not shown'(t) {
    const page = await visit(t, PLACE)
    const tiles = []
    page.on('request', (r) => r.url().includes('/tiles/trees/') && r.url().includes('as-of') && tiles.push(r.url()))
    await page.route(/collections\/trees\/items\?.*as-of/, (route) => route.fulfill({ status: 410, contentType: 'application/problem+json', body: '{"status":410}' }))
    await page.getByRole('button', { name: 'Map of a past day' }).click()
    await page.locator('.strip [type=date]').fill('2024-03-01')
    await page.locator('[data-note=untold]', { hasText: 'trees' }).waitFor()
    await settled(page)
    assert.deepEqual(tiles, [])
    assert.equal(await page.evaluate(() => Boolean(window.hromada.map.getSource('trees'))), false)
    assert.ok(await page.evaluate(() => Boolean(window.hromada.map.getSource('parcels'))))
    await axe(page, 'untold')
  },

  async 'whoever may not see the history is offered none of it'(t) {
    const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(NUMBER(1))}`, { as: 'nobody' })
    await page.locator('article dl.rows').waitFor()
    await page.waitForTimeout(500)
    assert.equal(await page.getByRole('button', { name: 'History' }).count(), 0)
    assert.equal(await page.getByRole('button', { name: 'Map of a past day' }).count(), 0)
    await page.evaluate(() => (location.hash += '&date=2024-03-01'))
    await page.locator('[data-note=closed]').waitFor()
    assert.match(await page.locator('[data-note=closed]').textContent(), /parcels.*trees|trees.*parcels/i)
    noProblems(page)
  },

  async 'on a phone, light and dark'(t) {
    await api(t, 'PATCH', item(NUMBER(2)), { properties: { note: 'second state' }, geometry: { type: 'Polygon', coordinates: square(1, 48.9218) } }, { 'Hromada-Reason': 'decision no. 12' })
    for (const colorScheme of ['light', 'dark']) {
      const options = { viewport: PHONE, hasTouch: true, isMobile: true, colorScheme }
      const page = await visit(t, `${PLACE}&sel=parcels/${encodeURIComponent(NUMBER(2))}&history=1`, options)
      await page.locator('.version').first().waitFor()
      await settled(page)
      await axe(page, `history ${colorScheme}`)
      await targets(page, `history ${colorScheme}`)
      await page.screenshot({ path: `${t.results}/history-phone-${colorScheme}.png` })
      await page.context().close()
      const other = await visit(t, `${PLACE}&date=2024-03-01`, options)
      await other.locator('.strip [type=range]').waitFor()
      await settled(other)
      await axe(other, `time ${colorScheme}`)
      await targets(other, `time ${colorScheme}`)
      const small = await other.evaluate(() => [...document.querySelectorAll('.strip button, .strip input')].filter((e) => e.getBoundingClientRect().height < 44).map((e) => e.outerHTML.slice(0, 80)))
      assert.deepEqual(small, [])
      await other.screenshot({ path: `${t.results}/time-phone-${colorScheme}.png` })
      noProblems(other)
      await other.context().close()
    }
  },
}
export default Object.fromEntries(Object.entries(tests).map(([title, body]) => [title, inTown(body)]))
