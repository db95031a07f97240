/**
 * The small map of the server's HTML pages: `<div id="page-map" data-collection data-tiles data-bbox data-geojson-url>`.
 * With `data-geojson-url` that feature or page of features is drawn on top; a click on a feature opens its page.
 */
import type { Feature, FeatureCollection } from 'geojson'
import { Map as MapLibre, setWorkerUrl, type StyleSpecification } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'
import { featurePath, fetchCollection, readCollection, type Bounds, type Collection } from './lib/api'
import { positions } from './lib/geodesy'
import { translate, type Lang } from './lib/i18n'
import { apiId } from './lib/refs'
import './page-map.css'
import { makePattern } from './style/pattern'
import { buildStyle, hitLayers, nothing, SELECTION } from './style/style'

setWorkerUrl(workerUrl)

const MAX_ZOOM = 18

/** Layers of the features that the page is about. */
const SELECTED = ['fill', 'line', 'ring'].map((part) => `${SELECTION} ${part}`)

async function start(box: HTMLElement): Promise<void> {
  const lang: Lang = document.documentElement.lang.startsWith('en') ? 'en' : 'uk'
  const id = box.dataset.collection ?? ''
  // Without the description the map is plainer, but it is there.
  const collection = await fetchCollection(id, lang).catch(() => readCollection({ id }))
  const url = box.dataset.geojsonUrl
  const drawn = url ? await fetchDrawn(url, lang) : nothing
  const context = await surroundings(collection, lang)
  const bounds = boundsOf(drawn) ?? readBounds(box.dataset.bbox) ?? collection.bbox
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const catalogue = [...context, collection]
  const visible = new Set(catalogue.map((c) => c.id))
  const style = buildStyle({ theme: dark ? 'dark' : 'light', lang, catalogue, visible, drawn: { selection: drawn, measure: nothing, names: nothing }, origin: location.origin })
  showAtEveryZoom(style, collection)
  if (drawn.features.length > 1) drawSmall(style)

  const map = new MapLibre({
    container: box.appendChild(document.createElement('div')),
    style,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    maxPitch: 0,
    // The page scrolls; the map zooms with Ctrl or two fingers, by its buttons and by keyboard.
    scrollZoom: false,
    locale: { 'Map.Title': `${collection.title}. ${translate(lang, 'map.label')}` },
    ...(bounds ? { bounds: [bounds[0], bounds[1], bounds[2], bounds[3]] as [number, number, number, number], fitBoundsOptions: { padding: 24, maxZoom: MAX_ZOOM } } : {}),
  })
  map.touchZoomRotate.disableRotation()
  map.keyboard.disableRotation()
  map.setMissingStyleImageResolver((name) => {
    const image = makePattern(name)
    if (image && !map.hasImage(name)) map.addImage(name, image, { pixelRatio: 2 })
  })
  if (!url && map.getZoom() < collection.tiles.minzoom) void openAtFirst(map, collection, lang)
  const layers = [...SELECTED, ...hitLayers([collection], new Set([id])).map((l) => l.layer)]
  const at = (x: number, y: number) => map.queryRenderedFeatures([[x - 4, y - 4], [x + 4, y + 4]], { layers: layers.filter((l) => map.getLayer(l)) })
  const openAt = (x: number, y: number) => {
    const found = at(x, y)[0]
    const feature = found && apiId(found)
    if (feature === undefined) return
    const page = featurePath(id, feature)
    if (new URL(page, location.href).pathname !== location.pathname) location.assign(page)
  }
  map.on('click', (e) => openAt(e.point.x, e.point.y))
  map.on('mousemove', (e) => (map.getCanvas().style.cursor = at(e.point.x, e.point.y).length > 0 ? 'pointer' : ''))
  map.getCanvas().addEventListener('keydown', (e) => {
    if (e.key === 'Enter') openAt(map.getCanvas().clientWidth / 2, map.getCanvas().clientHeight / 2)
  })
  const zoom = box.appendChild(document.createElement('div'))
  zoom.className = 'page-map-zoom'
  for (const [text, key, step] of [['+', 'map.zoomIn', 1], ['−', 'map.zoomOut', -1]] as const) {
    const button = zoom.appendChild(document.createElement('button'))
    button.type = 'button'
    button.textContent = text
    button.title = translate(lang, key)
    button.setAttribute('aria-label', translate(lang, key))
    button.addEventListener('click', () => map.easeTo({ zoom: map.getZoom() + step }))
  }
  const sources = [...new Set(catalogue.map((c) => c.attribution).filter((a) => a !== undefined))]
  if (sources.length > 0) {
    const note = box.appendChild(document.createElement('p'))
    note.className = 'page-map-sources'
    note.textContent = sources.join(' · ')
  }
  Object.assign(box, { map })
}

/**
 * The big map shows a dense collection from a near zoom only, so that layers do not cover each other; here it is the
 * only one and the page is about it. Names and icons keep their zooms.
 */
function showAtEveryZoom(style: StyleSpecification, collection: Collection): void {
  for (const layer of style.layers) {
    if (layer.type === 'symbol' || !('source' in layer) || layer.source !== collection.id) continue
    const near = layer.minzoom ?? 0
    layer.minzoom = collection.tiles.minzoom
    // From afar lines lie side by side: faint ones stay a texture that shows where there are many.
    if (layer.type === 'line' && near > 3 && !layer.paint?.['line-opacity']) layer.paint = { ...layer.paint, 'line-opacity': ['interpolate', ['linear'], ['zoom'], near - 3, 0.25, near, 1] }
  }
}

/** One point is ringed so that it is found; a page of them would be one blot. */
function drawSmall(style: StyleSpecification): void {
  for (const layer of style.layers) {
    if (layer.type === 'circle' && layer.source === SELECTION) layer.paint = { ...layer.paint, 'circle-radius': 4, 'circle-stroke-width': 1.5, 'circle-opacity': 0.6 }
  }
}

/** Tiles begin nearer than the whole collection fits: the map opens at one of its features. */
async function openAtFirst(map: MapLibre, collection: Collection, lang: Lang): Promise<void> {
  const first = boundsOf(await fetchDrawn(`/collections/${encodeURIComponent(collection.id)}/items?limit=1`, lang))
  if (first) map.jumpTo({ center: [(first[0] + first[2]) / 2, (first[1] + first[3]) / 2], zoom: collection.tiles.minzoom + 1 })
}

/** Streets and the town's ground under the collection, where they exist. */
async function surroundings(collection: Collection, lang: Lang): Promise<Collection[]> {
  const found = await Promise.all(['city-boundary', 'streets'].filter((id) => id !== collection.id).map((id) => fetchCollection(id, lang).catch(() => undefined)))
  return found.filter((c): c is Collection => c?.bbox !== undefined && collection.bbox !== undefined && overlap(c.bbox, collection.bbox))
}

function overlap(a: Bounds, b: Bounds): boolean {
  return a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

async function fetchDrawn(url: string, lang: Lang): Promise<FeatureCollection> {
  const response = await fetch(url, { headers: { Accept: 'application/geo+json', 'Accept-Language': lang } }).catch(() => undefined)
  if (!response?.ok) return nothing
  const body = (await response.json()) as Feature | FeatureCollection
  const features = body.type === 'Feature' ? [body] : body.features
  // The map keeps no text ids of GeoJSON; tiles have them in the same property.
  return { type: 'FeatureCollection', features: features.map((f) => ({ ...f, properties: { ...f.properties, _id: f.id } })) }
}

function boundsOf(data: FeatureCollection): Bounds | undefined {
  const box: Bounds = [Infinity, Infinity, -Infinity, -Infinity]
  for (const feature of data.features) {
    for (const [x, y] of positions(feature.geometry)) {
      box[0] = Math.min(box[0], x!)
      box[1] = Math.min(box[1], y!)
      box[2] = Math.max(box[2], x!)
      box[3] = Math.max(box[3], y!)
    }
  }
  return Number.isFinite(box[0]) ? box : undefined
}

function readBounds(text: string | undefined): Bounds | undefined {
  const numbers = (text ?? '').split(',').map(Number)
  return numbers.length === 4 && text && numbers.every(Number.isFinite) ? (numbers as Bounds) : undefined
}

const box = document.getElementById('page-map')
if (box) void start(box)
