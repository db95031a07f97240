// OpenLayers against a running server with the samples: node run.mjs http://127.0.0.1:8080 [FOLDER FOR PICTURES]
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright-core'

const url = process.argv[2]?.replace(/\/$/, '')
const pictures = process.argv[3] ?? 'test-results'
if (!url) {
  console.error('run.mjs URL [FOLDER FOR PICTURES]')
  process.exit(2)
}
mkdirSync(pictures, { recursive: true })
const ol = dirname(createRequire(import.meta.url).resolve('ol/package.json'))
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS })
let passed = 0
let failed = 0

function check(name, got, expected) {
  if (JSON.stringify(got) === JSON.stringify(expected)) {
    passed++
  } else {
    failed++
    console.log(`FAIL ${name}\n     got ${JSON.stringify(got)?.slice(0, 600)}\n     expected ${JSON.stringify(expected)?.slice(0, 600)}`)
  }
}

/** Shows a tileset around a place, and gives what OpenLayers holds of it and what the network did. */
async function show(name, tileset, [longitude, latitude], zoom) {
  const page = await browser.newPage({ viewport: { width: 900, height: 600 } })
  page.setDefaultTimeout(60_000)
  const problems = []
  const tiles = []
  page.on('pageerror', (e) => problems.push(e.message))
  page.on('console', (m) => m.type() === 'error' && problems.push(m.text()))
  page.on('response', (r) => {
    const tile = /\/WebMercatorQuad\/(\d+)\/(\d+)\/(\d+)/.exec(new URL(r.url()).pathname)
    if (tile) tiles.push(tile.slice(1).map(Number))
    if (r.url().startsWith(url) && ![200, 204, 304].includes(r.status())) problems.push(`${r.status()} ${r.url()}`)
  })
  await page.setContent('<style>body{margin:0}#map{width:900px;height:600px;background:#fff}</style><div id="map"></div>')
  await page.addStyleTag({ path: join(ol, 'ol.css') })
  await page.addScriptTag({ path: join(ol, 'dist/ol.js') })
  const seen = await page.evaluate(
    async ({ tileset, center, zoom }) => {
      const ol = window.ol
      const source = new ol.source.OGCVectorTile({ url: tileset, format: new ol.format.MVT() })
      const colours = { parcels: '#2f6f4f', streets: '#b3541e', hydrants: '#c2185b' }
      const style = (feature) => {
        const stroke = new ol.style.Stroke({ color: colours[feature.get('layer')] ?? '#5b6770', width: 1 })
        const fill = new ol.style.Fill({ color: 'rgba(47,111,79,0.10)' })
        return new ol.style.Style({ stroke, fill: feature.get('layer') === 'parcels' ? fill : undefined, image: new ol.style.Circle({ radius: 3, stroke }) })
      }
      const layer = new ol.layer.VectorTile({ source, style })
      const map = new ol.Map({ target: 'map', layers: [layer], view: new ol.View({ center: ol.proj.fromLonLat(center), zoom }) })
      await new Promise((resolve, reject) => {
        source.on('change', () => source.getState() === 'error' && reject(new Error('the source is in error')))
        source.on('tileloaderror', () => reject(new Error('a tile could not be loaded')))
        const ready = () => source.getState() === 'ready' && document.querySelector('#map canvas') && resolve()
        map.on('rendercomplete', ready)
        map.once('loadend', () => map.render())
      })
      const extent = map.getView().calculateExtent(map.getSize())
      const [width, height] = map.getSize()
      const painted = document.querySelector('#map canvas').getContext('2d').getImageData(0, 0, width, height).data.filter((v, i) => i % 4 === 3 && v > 0).length
      return {
        view: ol.proj.transformExtent(extent, 'EPSG:3857', 'EPSG:4326'),
        features: layer.getFeaturesInExtent(extent).map((f) => [f.get('layer'), String(f.get('_id') ?? f.get('id') ?? f.getId())]),
        painted: painted / (width * height),
      }
    },
    { tileset, center: [longitude, latitude], zoom },
  )
  await page.screenshot({ path: join(pictures, `openlayers-${name}.png`) })
  await page.close()
  return { ...seen, problems, tiles }
}

/** Ids of all features of a collection in a box, by OGC API Features. */
async function ids(collection, box) {
  const found = []
  for (let next = `${url}/collections/${collection}/items?bbox=${box.join(',')}&limit=1000`; next; ) {
    const page = await (await fetch(next, { headers: { accept: 'application/geo+json' } })).json()
    found.push(...page.features.map((f) => String(f.id)))
    next = page.links.find((l) => l.rel === 'next')?.href
  }
  return found.sort()
}

async function compare(name, tileset, place, zoom, collections) {
  let seen
  try {
    seen = await show(name, tileset, place, zoom)
  } catch (error) {
    failed++
    console.log(`FAIL ${name}: ${String(error).slice(0, 600)}`)
    return
  }
  check(`${name}: nothing goes wrong`, seen.problems, [])
  check(`${name}: tiles are asked for`, seen.tiles.length > 0, true)
  check(`${name}: something is drawn`, seen.painted > 0.005, true)
  const layers = [...new Set(seen.features.map(([layer]) => layer))].sort()
  if (collections.length === 1) check(`${name}: layers`, layers, collections)
  // A hundredth in from the edge: what only touches it may be on either side by the rounding to the tile's grid.
  const [w, s, e, n] = seen.view
  const inner = [w + (e - w) / 100, s + (n - s) / 100, e - (e - w) / 100, n - (n - s) / 100]
  for (const collection of collections) {
    const held = new Set(seen.features.filter(([layer]) => layer === collection).map(([, id]) => id))
    const wanted = await ids(collection, inner)
    check(`${name}: there are ${collection} to see`, wanted.length > 0, true)
    check(`${name}: ${collection} that OpenLayers lacks`, wanted.filter((id) => !held.has(id)), [])
  }
}

const cambridge = [-71.1106, 42.3736]
await compare('collection', `${url}/collections/parcels/tiles/WebMercatorQuad`, cambridge, 17, ['parcels'])
await compare('dataset', `${url}/tiles/WebMercatorQuad`, cambridge, 17, ['parcels', 'streets', 'hydrants'])
await compare('far-out', `${url}/collections/hromadas/tiles/WebMercatorQuad`, [24.6, 48.6], 8, ['hromadas'])
await browser.close()
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)
