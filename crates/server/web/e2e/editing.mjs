// Editing in the map, on a town and a server of its own: drawing, the form, undo, borders that are shared, dividing and
// joining, conflicts, drafts, a lost connection, the keyboard alone, a phone.
import assert from 'node:assert/strict'
import { axe, noProblems, open, PHONE, settled, targets } from './browser.mjs'
import { town } from './town.mjs'

/** South-west corner of the town, and the side of a plot, in degrees. */
const [X, Y, D] = [24.71, 48.92, 0.0005]
const round = (value) => Number(value.toFixed(6))
const corner = (column, row) => [round(X + column * D), round(Y + row * D)]

/** Nine plots in three rows, from the south-west on; `5` is in the middle. */
function plots() {
  return [0, 1, 2].flatMap((row) =>
    [0, 1, 2].map((column) => {
      const [a, b, c, d] = [corner(column, row), corner(column + 1, row), corner(column + 1, row + 1), corner(column, row + 1)]
      const n = row * 3 + column + 1
      return feature({ type: 'Polygon', coordinates: [[a, b, c, d, a]] }, { cadnum: `2610:${n}`, kind: n % 2 ? '01.01' : '02.01', built: 1990 + n, share: 0.5, since: '2020-01-01', note: `n${n}` })
    }),
  )
}
const feature = (geometry, properties) => ({ type: 'Feature', geometry, properties })

const TOWN = {
  collections: {
    plots: {
      features: plots(), theme: 'cadastre', label: 'cadnum', title: { uk: 'Ділянки', en: 'Plots' },
      titles: { cadnum: { uk: 'Номер', en: 'Number' }, kind: { uk: 'Призначення', en: 'Use' }, built: { uk: 'Рік', en: 'Year' }, share: { uk: 'Частка', en: 'Share' }, since: { uk: 'Від', en: 'Since' }, note: { uk: 'Примітка', en: 'Note' } },
      enumerations: { kind: [{ value: '01.01', title: { uk: 'Рілля', en: 'Arable' } }, { value: '02.01', title: { uk: 'Житло', en: 'Housing' } }] },
    },
    wells: { features: [feature({ type: 'Point', coordinates: corner(0.5, 0.5) }, { name: 'A', depth: 3.5 })], theme: 'networks', label: 'name', title: { uk: 'Колодязі', en: 'Wells' } },
    paths: { features: [feature({ type: 'LineString', coordinates: [corner(0, -0.3), corner(3, -0.3)] }, { name: 'P' })], theme: 'transport', label: 'name', title: { uk: 'Стежки', en: 'Paths' } },
  },
  rules: { plots: { class: 'public', history: 'staff', editing: { 'if-match': 'required', 'invalid-geometry': 'refuse' } } },
  people: { editor: 'gis-editor', reader: 'auditor' },
}
const HOME = `map=18.00/${corner(1.5, 1.5)[1]}/${corner(1.5, 1.5)[0]}`

/** A test on a fresh town. */
function inTown(body) {
  return async (t) => {
    const made = await town(TOWN)
    try {
      // The page is opened at this town, and looked at as all others are.
      await body({ ...t, origin: made.origin, town: made })
    } catch (error) {
      // Before the page goes: afterwards there is nothing to be seen.
      await t.contexts.at(-1)?.pages().at(0)?.screenshot({ path: `${t.results}/edit-failed.png` }).catch(() => undefined)
      throw error
    } finally {
      for (const context of t.contexts) await context.close().catch(() => undefined)
      await made.end()
    }
  }
}

/** A page on which the account is signed in. */
async function signedIn(t, hash, options = {}, account = 'editor') {
  const page = await open(t, '', options)
  await t.town.signIn(page, account)
  if (hash) await go(t, page, hash)
  return page
}
async function go(t, page, hash) {
  const isThere = page.url().includes('/app/')
  await page.goto(`${t.origin}/app/#${hash}`)
  // Another fragment alone loads nothing.
  if (isThere) await page.reload()
  await settled(page)
}
/** Answers of 4xx are what is tested here; Chromium writes each into its console. */
function clean(page) {
  page.problems = page.problems.filter((text) => !/Failed to load resource|ERR_/.test(text))
  noProblems(page)
}

const pixel = (page, at) => page.evaluate((p) => Object.values(window.hromada.map.project(p)), at)
const clickAt = async (page, at) => page.mouse.click(...(await pixel(page, at)))
async function drag(page, from, to) {
  const [a, b] = [await pixel(page, from), await pixel(page, to)]
  await page.mouse.move(...a)
  await page.mouse.down()
  await page.mouse.move((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
  await page.mouse.move(...b)
  await page.mouse.up()
}
async function edit(t, page, ref) {
  await go(t, page, `${HOME}&sel=${ref}&lang=uk`)
  await page.locator('.begin-edit').click()
  await page.locator('section.edit .fields, section.edit.small').first().waitFor()
  await settledMap(page)
}
/** The editor fits the map to the feature. */
const settledMap = (page) => page.waitForFunction(() => window.hromada.map.loaded() && !window.hromada.map.isMoving())
const field = (page, name) => page.locator(`[data-field=${name}] :is(input, select, textarea)`)
async function fill(page, name, text) {
  await field(page, name).fill(text)
  await page.keyboard.press('Tab')
}
const save = (page) => page.locator('[data-save]').click()
const saved = (page) => page.locator('section.edit .message[role=status]').getByText('Збережено о').waitFor()
const stored = async (t, collection, id) => (await t.town.robot('GET', `/collections/${collection}/items/${id}?f=json`)).body
const all = async (t, collection) => (await t.town.robot('GET', `/collections/${collection}/items?f=json&limit=100`)).body.features
const ring = (f) => f.geometry.coordinates[0].map((p) => p.join())
const near = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) < D / 20
/** What can be snapped to has been fetched. */
const snapping = (page) => page.locator('section.edit[data-around=ready]').waitFor()
const said = (page, text) => page.locator('[role=status][aria-live]').getByText(text).waitFor({ state: 'attached' })

const tests = {
  async 'a visitor, and who may only read, see no editing and load none of it'(t) {
    for (const account of [undefined, 'reader']) {
      const page = account ? await signedIn(t, `${HOME}&sel=plots/5`, {}, account) : await open(t, `${HOME}&sel=plots/5`)
      await page.locator('article dl.rows').waitFor()
      await page.waitForTimeout(300)
      assert.equal(await page.locator('.begin-edit').count(), 0)
      assert.equal(await page.getByRole('button', { name: 'Редагування' }).count(), 0)
      const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map((r) => r.name))
      assert.deepEqual(loaded.filter((name) => /Editor|drafts/.test(name)), [])
      clean(page)
    }
  },

  async 'draws a plot that snaps, with a field error of the server, undo and redo'(t) {
    const page = await signedIn(t, HOME.replace('18.00', '17.00'))
    await page.getByRole('button', { name: 'Редагування' }).click()
    await axe(page, 'start of editing')
    await page.getByRole('button', { name: 'Ділянки' }).click()
    await settledMap(page)
    await snapping(page)
    const [a, b] = [corner(3, 1), corner(3, 2)]
    // Some pixels beside the corners: they are caught.
    for (const [x, y] of [await pixel(page, a), await pixel(page, b)]) await page.mouse.click(x + 4, y - 3)
    await clickAt(page, corner(3.8, 2.1))
    await clickAt(page, corner(3.8, 0.9))
    await page.locator('section.edit').getByText('4 точки').waitFor()
    await page.keyboard.press('Control+z')
    await page.locator('section.edit').getByText('3 точки').waitFor()
    await page.keyboard.press('Control+Shift+Z')
    await page.locator('section.edit').getByText('4 точки').waitFor()
    await page.screenshot({ path: `${t.results}/edit-draw.png` })
    await axe(page, 'drawing')
    await page.keyboard.press('Enter')
    await page.locator('section.edit .fields').waitFor()
    await fill(page, 'cadnum', '2610:99')
    await fill(page, 'built', 'abc')
    assert.match(await page.locator('[data-field=built] .error').textContent(), /ціле число/)
    assert.equal(await field(page, 'built').getAttribute('aria-invalid'), 'true')
    await fill(page, 'built', '1 999')
    assert.equal(await page.locator('[data-field=built] .error').count(), 0)
    // A year that the browser takes and the server does not.
    await fill(page, 'since', '12020-01-01')
    await save(page)
    await page.locator('[data-field=since] .error').getByText('date').waitFor()
    assert.ok(await page.evaluate(() => document.activeElement.closest('[data-field=since]')), 'the field has the focus')
    await axe(page, 'a field with an error')
    await page.screenshot({ path: `${t.results}/edit-field-error.png` })
    await fill(page, 'since', '2021-05-05')
    await field(page, 'kind').selectOption('02.01')
    await page.locator('#edit-reason').fill('Рішення № 12')
    await save(page)
    await saved(page)
    const made = (await all(t, 'plots')).find((f) => f.properties.cadnum === '2610:99')
    assert.deepEqual([made.properties.built, made.properties.since, made.properties.kind, made.properties.note], [1999, '2021-05-05', '02.01', null])
    assert.ok(ring(made).includes(a.join()) && ring(made).includes(b.join()), `corners of the neighbours, bit for bit: ${ring(made)}`)
    const history = await t.town.robot('GET', `/collections/plots/items/${made.id}/versions`)
    assert.match(JSON.stringify(history.body), /Рішення № 12/)
    // The map shows it without being loaded again.
    await page.waitForFunction((id) => window.hromada.map.querySourceFeatures('plots', { sourceLayer: 'plots' }).some((f) => f.id === id), made.id)
    clean(page)
  },

  async 'moves a corner that four plots share in all of them, and alone where that is chosen'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'plots/5')
    const to = corner(1.2, 1.15)
    await drag(page, corner(1, 1), to)
    await page.locator('.corner .shared').getByText('2610:1, 2610:2, 2610:4').waitFor()
    await page.screenshot({ path: `${t.results}/edit-shared.png` })
    await axe(page, 'a shared corner')
    await fill(page, 'note', '')
    await save(page)
    await saved(page)
    const after = await all(t, 'plots')
    const moved = after.filter((f) => f.geometry.coordinates[0].some((p) => near(p, to))).map((f) => f.id)
    assert.deepEqual(moved.sort(), [1, 2, 4, 5])
    assert.equal(new Set(after.flatMap((f) => f.geometry.coordinates[0].filter((p) => near(p, to)).map(String))).size, 1, 'one place in all')
    const five = after.find((f) => f.id === 5)
    assert.equal(five.properties.note, null, 'null unsets')
    assert.equal(five.properties.built, 1995, 'what was not named stays')

    // A new point on a common border is in both.
    await drag(page, [corner(2, 1.5)[0], corner(2, 1.5)[1]], corner(2.15, 1.5))
    await save(page)
    await saved(page)
    for (const id of [5, 6]) assert.equal((await stored(t, 'plots', id)).geometry.coordinates[0].filter((p) => near(p, corner(2.15, 1.5))).length, 1, `plot ${id}`)

    await page.locator('.corner .check input').check()
    await drag(page, corner(2, 2), corner(1.9, 1.9))
    await save(page)
    await saved(page)
    assert.ok(ring(await stored(t, 'plots', 9)).includes(corner(2, 2).join()), 'the neighbour stays')
    assert.ok(!ring(await stored(t, 'plots', 5)).includes(corner(2, 2).join()))
    clean(page)
  },

  async 'divides a plot by a line and joins the pieces again'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'plots/5')
    await page.getByRole('button', { name: 'Поділити', exact: true }).click()
    await clickAt(page, corner(1.5, 0.9))
    await clickAt(page, corner(1.5, 2.1))
    await page.keyboard.press('Enter')
    await page.locator('section.edit ol li').nth(1).waitFor()
    await page.locator('#edit-piece-0').fill('2610:51')
    await page.locator('#edit-piece-1').fill('2610:52')
    await axe(page, 'pieces')
    await page.screenshot({ path: `${t.results}/edit-split.png` })
    await save(page)
    await page.locator('article h2').getByText(/2610:5[12]/).waitFor()
    const pieces = (await all(t, 'plots')).filter((f) => /2610:5[12]/.test(f.properties.cadnum))
    assert.equal(pieces.length, 2)
    assert.ok(!(await all(t, 'plots')).some((f) => f.id === 5), 'the parcel is gone')
    for (const neighbour of [2, 8]) assert.equal((await stored(t, 'plots', neighbour)).geometry.coordinates[0].length, 6, 'the neighbours have the new point')

    await page.locator('.begin-edit').click()
    await page.getByRole('button', { name: 'Об’єднати', exact: true }).click()
    assert.ok(await page.locator('[data-save]').isDisabled())
    const other = pieces.find((f) => !page.url().includes(`plots/${f.id}`)) ?? pieces[1]
    await page.getByRole('checkbox', { name: /2610:5[12]/ }).check()
    await page.locator('#edit-joined').fill('2610:55')
    await axe(page, 'joining')
    await page.screenshot({ path: `${t.results}/edit-merge.png` })
    await save(page)
    await page.locator('article h2').getByText('2610:55').waitFor()
    const whole = (await all(t, 'plots')).filter((f) => /2610:5/.test(f.properties.cadnum))
    assert.deepEqual(whole.map((f) => f.properties.cadnum), ['2610:55'], `joined with ${other.id}`)
    clean(page)
  },

  async 'a second person is faster: both versions are shown, and each field can be chosen'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'plots/9')
    await fill(page, 'built', '2009')
    await fill(page, 'note', 'mine')
    await drag(page, corner(3, 3), corner(2.8, 2.8))
    const before = await t.town.robot('GET', '/collections/plots/items/9?f=json')
    const theirs = await t.town.robot('PATCH', '/collections/plots/items/9', { properties: { built: 1900, kind: '02.01' } }, { 'If-Match': before.etag })
    assert.equal(theirs.status, 200)
    await save(page)
    await page.getByRole('alertdialog').waitFor()
    assert.ok(await page.evaluate(() => document.activeElement.id === 'conflict-title'))
    await settledMap(page)
    await axe(page, 'conflict')
    await targets(page, 'conflict')
    await page.screenshot({ path: `${t.results}/edit-conflict.png` })
    // Told apart without colours: one line is whole, the other broken.
    const dashes = await page.evaluate(() => ['mine', 'theirs'].map((side) => window.hromada.map.getPaintProperty(`app edit ${side}`, 'line-dasharray')))
    assert.ok(!dashes[0] && dashes[1]?.length > 1, JSON.stringify(dashes))
    const row = (name) => page.locator('tbody tr', { has: page.locator('th', { hasText: name }) })
    assert.equal(await row('Рік').getByRole('radio').count(), 2)
    await page.getByRole('button', { name: 'Повернутися до редагування' }).click()
    assert.equal(await field(page, 'built').inputValue(), '2009', 'nothing is lost')
    assert.equal((await stored(t, 'plots', 9)).properties.built, 1900, 'nor overwritten')
    await save(page)
    await row('Рік').getByRole('radio').nth(1).check()
    await page.getByRole('button', { name: /Зберегти обране/ }).click()
    await saved(page)
    const now = await stored(t, 'plots', 9)
    assert.deepEqual([now.properties.built, now.properties.kind, now.properties.note], [1900, '02.01', 'mine'])
    assert.ok(now.geometry.coordinates[0].some((p) => near(p, corner(2.8, 2.8))))

    await fill(page, 'note', 'again')
    const tag = await t.town.robot('GET', '/collections/plots/items/9?f=json')
    await t.town.robot('PATCH', '/collections/plots/items/9', { properties: { note: 'theirs' } }, { 'If-Match': tag.etag })
    await save(page)
    await page.getByRole('button', { name: /Узяти чуже/ }).click()
    await page.waitForFunction(() => document.querySelector('[data-field=note] input')?.value === 'theirs')
    assert.equal((await stored(t, 'plots', 9)).properties.note, 'theirs')
    clean(page)
  },

  async 'a draft outlives the window, is offered, and meets what changed meanwhile'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'plots/5')
    await fill(page, 'note', 'draft')
    await drag(page, corner(1, 1), corner(1.2, 1.2))
    page.on('dialog', (dialog) => void dialog.accept())
    await page.waitForFunction(() => Object.entries(localStorage).some(([key, text]) => key.startsWith('hromada.edit/editor/') && text.includes('"steps"')))
    assert.ok(!page.url().includes('draft'), 'nothing of it is in the address')
    await page.reload()
    await settled(page)
    await page.locator('.waiting').waitFor()
    await axe(page, 'a draft is offered')
    await page.screenshot({ path: `${t.results}/edit-draft.png` })
    await page.locator('.waiting .button').click()
    // Another window of the same person does not take what this one has in hand.
    await page.getByRole('button', { name: /Продовжити/ }).click()
    await page.locator('section.edit .fields').waitFor()
    assert.equal(await field(page, 'note').inputValue(), 'draft')
    const second = await page.context().newPage()
    await second.goto(`${t.origin}/app/#${HOME}`)
    await settled(second)
    assert.equal(await second.locator('.waiting').count(), 0, 'the other window offers nothing that is open here')
    await second.close()
    await save(page)
    await saved(page)
    const moved = (await all(t, 'plots')).filter((f) => f.geometry.coordinates[0].some((p) => near(p, corner(1.2, 1.2)))).map((f) => f.id)
    assert.deepEqual(moved.sort(), [1, 2, 4, 5], 'neighbours move with it after a reload, too')
    assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('hromada.edit/')).length), 0)

    await fill(page, 'note', 'late')
    await page.waitForFunction(() => Object.values(localStorage).some((text) => text.includes('late')))
    const tag = await t.town.robot('GET', '/collections/plots/items/5?f=json')
    await t.town.robot('PATCH', '/collections/plots/items/5', { properties: { note: 'first' } }, { 'If-Match': tag.etag })
    await page.reload()
    await settled(page)
    await page.locator('.waiting .button').click()
    await page.getByRole('button', { name: /Продовжити/ }).click()
    await page.getByRole('alertdialog').getByText('late').waitFor()
    clean(page)
  },

  async 'without a network nothing is lost, and a repeated save is done once'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'wells/1')
    await fill(page, 'depth', '4,25')
    // The server does it, and the answer is lost.
    await page.route('**/items/1', async (route) => {
      if (route.request().method() !== 'PATCH') return route.continue()
      await route.fetch()
      await route.abort()
    })
    await save(page)
    await page.getByRole('alert').getByText('невідомо').waitFor()
    await axe(page, 'no answer')
    assert.equal(await field(page, 'depth').inputValue(), '4.25')
    assert.equal((await stored(t, 'wells', 1)).properties.depth, 4.25)
    await page.unroute('**/items/1')
    const [request] = await Promise.all([page.waitForRequest((r) => r.method() === 'PATCH'), page.getByRole('button', { name: 'Спробувати ще раз' }).click()])
    await saved(page)
    assert.equal((await (await request.response()).allHeaders())['idempotent-replayed'], 'true')
    const versions = await t.town.robot('GET', '/collections/wells/items/1/versions')
    assert.equal(versions.body.versions.length, 2, 'as imported, and changed once')
    clean(page)
  },

  async 'moves a feature as one, by mouse and by keys'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'plots/9')
    await page.getByRole('button', { name: 'Рухати цілим' }).click()
    await drag(page, corner(2.5, 2.5), corner(2.9, 2.7))
    await page.locator('.maplibregl-canvas').focus()
    await page.keyboard.press('Shift+ArrowRight')
    await said(page, 'об’єкт пересунуто')
    await save(page)
    await saved(page)
    const [a, b, c] = (await stored(t, 'plots', 9)).geometry.coordinates[0]
    assert.ok(a[0] > corner(2.4, 2)[0] && Math.abs(a[1] - corner(0, 2.2)[1]) < D / 20, `${a}`)
    assert.ok(Math.abs(b[0] - a[0] - D) < 1e-9 && Math.abs(c[1] - b[1] - D) < 1e-9, 'the shape stays')
    assert.ok(ring(await stored(t, 'plots', 5)).includes(corner(2, 2).join()), 'the neighbours stay')
    clean(page)
  },

  async 'deletes after a question'(t) {
    const page = await signedIn(t)
    await edit(t, page, 'wells/1')
    await page.getByRole('button', { name: 'Видалити', exact: true }).click()
    await page.getByRole('alertdialog').waitFor()
    await axe(page, 'delete?')
    await page.keyboard.press('Escape')
    assert.equal(await page.getByRole('alertdialog').count(), 0)
    await page.getByRole('button', { name: 'Видалити', exact: true }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Видалити' }).click()
    await page.locator('section.edit').waitFor({ state: 'detached' })
    assert.equal((await all(t, 'wells')).length, 0)
    clean(page)
  },

  async 'by keyboard alone: a point, a corner moved, put in and taken out'(t) {
    const page = await signedIn(t, HOME)
    await page.evaluate(() => addEventListener('mousedown', () => (window.mouse = true), true))
    await page.getByRole('button', { name: 'Редагування' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Колодязі' }).focus()
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.activeElement.matches('.maplibregl-canvas'))
    for (const key of ['ArrowRight', 'ArrowUp']) {
      await page.keyboard.press(key)
      await settledMap(page)
    }
    await page.locator('.crosshair').waitFor()
    const aim = await page.evaluate(() => {
      const map = window.hromada.map
      const p = map.getPadding()
      const c = map.getCanvas()
      return map.unproject([(p.left + c.clientWidth - p.right) / 2, (p.top + c.clientHeight - p.bottom) / 2]).toArray()
    })
    await page.keyboard.press('Enter')
    await said(page, 'фігуру завершено')
    await field(page, 'name').focus()
    await page.keyboard.type('K')
    await page.keyboard.press('Control+s')
    await saved(page)
    const well = (await all(t, 'wells')).find((f) => f.properties.name === 'K')
    assert.ok(near(well.geometry.coordinates, aim), `${well.geometry.coordinates} is not ${aim}`)
    await page.keyboard.press('Escape')
    await page.locator('section.edit').waitFor({ state: 'detached' })

    await go(t, page, `${HOME}&sel=paths/1&lang=uk`)
    await page.evaluate(() => addEventListener('mousedown', () => (window.mouse = true), true))
    await page.locator('.begin-edit').focus()
    await page.keyboard.press('Enter')
    await page.locator('section.edit .fields').waitFor()
    await settledMap(page)
    await page.locator('.maplibregl-canvas').focus()
    await page.keyboard.press(']')
    await said(page, 'Точка 1 з 2')
    await page.keyboard.press('Insert')
    await said(page, 'точку вставлено')
    await page.keyboard.press('Shift+ArrowUp')
    await said(page, 'точку пересунуто')
    await save(page)
    await saved(page)
    const bent = (await stored(t, 'paths', 1)).geometry.coordinates
    assert.equal(bent.length, 3)
    assert.ok(bent[1][1] > bent[0][1])
    assert.deepEqual([bent[0], bent[2]], [corner(0, -0.3), corner(3, -0.3)], 'the others stay bit for bit')
    await page.locator('.maplibregl-canvas').focus()
    await page.keyboard.press(']')
    await page.keyboard.press(']')
    await page.keyboard.press('Delete')
    await said(page, 'точку вилучено')
    await page.keyboard.press('Control+z')
    await page.keyboard.press('Control+Shift+Z')
    await page.locator('#edit-reason').waitFor()
    await page.locator('[data-save]').focus()
    await page.keyboard.press('Enter')
    await saved(page)
    assert.equal((await stored(t, 'paths', 1)).geometry.coordinates.length, 2)
    clean(page)
  },

  async 'on a phone: the crosshair draws, fingers drag, targets are large'(t) {
    const page = await signedIn(t, HOME, { viewport: PHONE, hasTouch: true, isMobile: true })
    await page.getByRole('button', { name: 'Редагування' }).tap()
    await page.getByRole('button', { name: 'Стежки' }).tap()
    await page.locator('.crosshair').waitFor()
    await page.getByRole('button', { name: 'Додати точку' }).tap()
    await page.evaluate(() => window.hromada.map.panBy([60, 40], { duration: 0 }))
    await page.getByRole('button', { name: 'Додати точку' }).tap()
    await page.screenshot({ path: `${t.results}/edit-phone-draw.png` })
    await axe(page, 'drawing on a phone')
    await targets(page, 'drawing on a phone')
    const small = await page.locator('section.edit :is(button, input)').evaluateAll((all) => all.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44).map((e) => `${e.outerHTML.slice(0, 60)} ${e.getBoundingClientRect().height}`))
    assert.deepEqual(small, [])
    await page.getByRole('button', { name: 'Завершити' }).tap()
    await page.getByRole('button', { name: 'Анкета' }).tap()
    await field(page, 'name').fill('T')
    await axe(page, 'the form on a phone')
    await page.screenshot({ path: `${t.results}/edit-phone-form.png` })
    await page.locator('[data-save]').tap()
    await saved(page)
    assert.ok((await all(t, 'paths')).some((f) => f.properties.name === 'T' && f.geometry.coordinates.length === 2))

    await edit(t, page, 'plots/5')
    const [x, y] = await pixel(page, corner(1, 2))
    const touch = await page.context().newCDPSession(page)
    const finger = (type, points) => touch.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py]) => ({ x: px, y: py })) })
    // A finger's breadth away from the corner.
    await finger('touchStart', [[x + 12, y + 8]])
    for (let i = 1; i <= 4; i++) await finger('touchMove', [[x + 12 + i * 8, y + 8 + i * 6]])
    await finger('touchEnd', [])
    await page.locator('section.edit .state.dirty').waitFor()
    await page.screenshot({ path: `${t.results}/edit-phone-shape.png` })
    await axe(page, 'a shape on a phone')
    await page.locator('[data-save]').tap()
    await saved(page)
    assert.ok(!ring(await stored(t, 'plots', 7)).includes(corner(1, 2).join()), 'the neighbours have moved along')
    clean(page)
  },

  async 'somebody changes what is in hand: a warning at once, in the dark too'(t) {
    const page = await signedIn(t, undefined, { colorScheme: 'dark' })
    // News as the stream of changes brings them.
    let news = ':\n\n'
    await page.route('**/changes?*', (route) => route.fulfill({ contentType: 'text/event-stream', body: news }))
    await edit(t, page, 'plots/5')
    await drag(page, corner(1, 1), corner(1.2, 1.2))
    await page.screenshot({ path: `${t.results}/edit-dark.png` })
    await axe(page, 'editing in the dark')
    const tag = await t.town.robot('GET', '/collections/plots/items/5?f=json')
    const theirs = await t.town.robot('PATCH', '/collections/plots/items/5', { properties: { note: 'theirs' } }, { 'If-Match': tag.etag })
    assert.equal(theirs.status, 200)
    news = `id: x.1\nevent: change\ndata: ${JSON.stringify({ collection: 'plots', feature: '5', action: 'update' })}\n\n`
    await page.getByRole('alert').getByText('Хтось щойно змінив').waitFor()
    await axe(page, 'somebody was faster')
    await page.getByRole('button', { name: 'Порівняти' }).click()
    await page.getByRole('alertdialog').getByText('theirs').waitFor()
    await page.screenshot({ path: `${t.results}/edit-dark-conflict.png` })
    await page.keyboard.press('Escape')
    assert.equal(await page.getByRole('alertdialog').count(), 0)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await page.getByRole('alertdialog').waitFor()
    await axe(page, 'unsaved changes')
    await page.getByRole('button', { name: 'Відкинути зміни' }).click()
    await page.locator('section.edit').waitFor({ state: 'detached' })
    assert.ok(ring(await stored(t, 'plots', 5)).includes(corner(1, 1).join()))
    clean(page)
  },
}

export default Object.fromEntries(Object.entries(tests).map(([name, body]) => [name, inTown(body)]))
