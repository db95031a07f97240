// Text from data is text, never markup; the page keeps to its own server and its content security policy.
import assert from 'node:assert/strict'
import { noProblems, open } from './browser.mjs'

const EVIL = '<img src=x onerror="window.hacked=1"><b>x</b>'

export default {
  async 'markup in titles, attributions, names and values stays text'(t) {
    const page = await open(t, 'panel=none')
    await page.route('**/collections?*', async (route) => {
      const response = await route.fetch()
      const body = await response.json()
      for (const c of body.collections) Object.assign(c, { title: `${c.title}${EVIL}`, attribution: `${c.attribution}${EVIL}` })
      await route.fulfill({ response, json: body })
    })
    await page.route('**/collections/parcels/items/*', async (route) => {
      const response = await route.fetch()
      const body = await response.json()
      for (const name of Object.keys(body.properties)) body.properties[name] = EVIL
      await route.fulfill({ response, json: body })
    })
    await page.goto(`${t.origin}/app/#map=18.00/42.373500/-71.109500&sel=parcels/1&lang=en`)
    await page.reload()
    await page.locator('article dl.rows').waitFor()
    await page.waitForFunction(() => document.querySelector('.sources').textContent.includes('onerror'))
    assert.match(await page.locator('article h2').textContent(), /onerror/)
    assert.equal(await page.evaluate(() => document.querySelectorAll('img[src=x], main b, footer b').length), 0)
    assert.equal(await page.evaluate(() => window.hacked), undefined)
  },
  async 'the content security policy is there and nothing breaks it'(t) {
    const response = await fetch(`${t.origin}/app/`)
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'.*script-src 'self'/)
    const page = await open(t, 'map=16.00/42.373500/-71.109500&preset=zoning')
    noProblems(page)
  },
  async 'a server that fails says so, and the page can try again'(t) {
    const page = await open(t, '')
    await page.route('**/collections?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ title: 'busy', status: 503, detail: 'Сервер перезапускається.' }) }))
    await page.reload()
    await page.getByRole('alert').getByText('Сервер перезапускається.').waitFor()
    await page.unroute('**/collections?*')
    await page.locator('.body .button').click()
    await page.locator('.presets').waitFor()
  },
  async 'an empty server explains itself'(t) {
    const page = await open(t, '')
    await page.route('**/collections?*', (route) => route.fulfill({ json: { links: [], collections: [] } }))
    await page.reload()
    await page.locator('.body').getByText('hromada import').waitFor()
  },
}
