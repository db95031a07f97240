/** The map's whole style as a function of theme, language, visible collections and catalogue. */
import type { FeatureCollection } from 'geojson'
import type { LayerSpecification, SourceSpecification, StyleSpecification } from 'maplibre-gl'
import type { Collection } from '../lib/api'
import type { Lang } from '../lib/i18n'
import type { Theme } from '../lib/permalink'
import { coloursOf } from './colours'
import { DIFFERENCE, differenceLayers } from './difference'
import { BOLD, hitLayer, layersOf, NAMES } from './layers'
import { isLine, isPoint, treatmentOf, type Treatment } from './treatment'

/** GeoJSON that the app itself draws, beside the tiles. */
export interface Drawn {
  selection: FeatureCollection
  measure: FeatureCollection
  /** Two states of a feature, `state` is `before` or `after`. */
  difference?: FeatureCollection
  /** Points with `collection`, `text` and `fit`, the zoom from which the text fits its area. */
  names: FeatureCollection
}

export interface StyleInput {
  theme: Theme
  lang: Lang
  /** The task, which may draw some collections differently. */
  preset?: string | undefined
  catalogue: readonly Collection[]
  visible: ReadonlySet<string>
  /** The day that the tiles show, `YYYY-MM-DD`; absent: now. */
  asOf?: string | undefined
  drawn: Drawn
  /** What a part of the app that is loaded later draws over everything else. */
  over?: Over | undefined
  /** Origin of the server, such as `https://map.example.org`. */
  origin: string
}

export interface Over {
  source: string
  data: FeatureCollection
  layers: (theme: Theme) => LayerSpecification[]
}

export const nothing: FeatureCollection = { type: 'FeatureCollection', features: [] }
export const SELECTION = 'app selection'
export const MEASURE = 'app measure'

export function buildStyle(input: StyleInput): StyleSpecification {
  const { theme, origin } = input
  const colours = coloursOf(theme)
  const shown = input.catalogue.filter((c) => input.visible.has(c.id))
  const sources: Record<string, SourceSpecification> = {}
  const treatments = new Map<string, Treatment>()
  for (const c of shown) {
    treatments.set(c.id, treatmentOf(c, input.preset))
    sources[c.id] = sourceOf(c, origin, input.asOf)
  }
  sources[SELECTION] = { type: 'geojson', data: input.drawn.selection }
  if (input.drawn.difference) sources[DIFFERENCE] = { type: 'geojson', data: input.drawn.difference }
  sources[MEASURE] = { type: 'geojson', data: input.drawn.measure }
  if (input.over) sources[input.over.source] = { type: 'geojson', data: input.over.data }
  sources[NAMES] = { type: 'geojson', data: input.drawn.names, maxzoom: 22 }

  const placed = shown.flatMap((c) => layersOf(c, treatments.get(c.id)!, input))
  placed.sort((a, b) => a.order - b.order)
  const hasLand = shown.some((c) => treatments.get(c.id)!.recipe === 'land')
  return {
    version: 8,
    name: 'hromada',
    glyphs: `${origin}/fonts/{fontstack}/{range}.pbf`,
    sprite: `${origin}/sprites/hromada`,
    transition: { duration: 0, delay: 0 },
    sources,
    layers: [
      { id: 'background', type: 'background', paint: { 'background-color': hasLand ? colours.surround : colours.land } },
      ...placed.map((p) => p.layer),
      ...selectionLayers(theme),
      ...(input.drawn.difference ? differenceLayers(colours) : []),
      ...measureLayers(theme),
      ...(input.over?.layers(theme) ?? []),
    ],
  }
}

export function sourceOf(c: Collection, origin: string, asOf?: string): SourceSpecification {
  return {
    type: 'vector',
    tiles: [`${origin}/tiles/${encodeURIComponent(c.id)}/{z}/{x}/{y}${asOf ? `?as-of=${asOf}` : ''}`],
    minzoom: c.tiles.minzoom,
    maxzoom: c.tiles.maxzoom,
    // What was there once may lie beyond what is there now.
    ...(c.bbox && !asOf ? { bounds: c.bbox } : {}),
  }
}

/** Layers that answer a click, topmost first: points, then lines, then areas, small before large. */
export function hitLayers(catalogue: readonly Collection[], visible: ReadonlySet<string>): { layer: string; collection: string }[] {
  return catalogue
    .filter((c) => visible.has(c.id))
    .map((c) => ({ c, t: treatmentOf(c) }))
    .filter(({ t }) => t.hit !== 'none')
    .sort((a, b) => hitRank(b.c, b.t) - hitRank(a.c, a.t))
    .flatMap(({ c }) => {
      const id = hitLayer(c.id)
      const ids = c.geometryType === 'geometry' ? [`${id} point`, `${id} line`, id] : [id]
      return ids.map((layer) => ({ layer, collection: c.id }))
    })
}

function hitRank(c: Collection, t: Treatment): number {
  const kind = isPoint(c) ? 3 : isLine(c) ? 2 : 1
  // Boundaries are drawn above parcels but are the larger thing: a click means the parcel first.
  const order = t.recipe === 'boundary' || t.recipe === 'territory' ? t.order - 60 : t.order
  return kind * 1000 + order
}

/** Dark line in a light casing (or the reverse): seen on every ground, and not by colour alone. */
function selectionLayers(theme: Theme): LayerSpecification[] {
  const colours = coloursOf(theme)
  const source = SELECTION
  return [
    { id: `${source} fill`, type: 'fill', source, filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': colours.selection, 'fill-opacity': 0.14 } },
    {
      id: `${source} casing`, type: 'line', source, filter: ['!=', ['geometry-type'], 'Point'],
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': colours.selectionCasing, 'line-width': ['interpolate', ['linear'], ['zoom'], 12, 4, 18, 7] },
    },
    {
      id: `${source} line`, type: 'line', source, filter: ['!=', ['geometry-type'], 'Point'],
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': colours.selection, 'line-width': ['interpolate', ['linear'], ['zoom'], 12, 2, 18, 3.4] },
    },
    {
      id: `${source} ring`, type: 'circle', source, filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 13, 9, 19, 17],
        'circle-color': colours.selection, 'circle-opacity': 0.12,
        'circle-stroke-color': colours.selection, 'circle-stroke-width': 3,
      },
    },
  ]
}

function measureLayers(theme: Theme): LayerSpecification[] {
  const colours = coloursOf(theme)
  const source = MEASURE
  return [
    { id: `${source} fill`, type: 'fill', source, filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': colours.measure, 'fill-opacity': 0.14 } },
    {
      id: `${source} casing`, type: 'line', source, filter: ['==', ['geometry-type'], 'LineString'],
      layout: { 'line-join': 'round', 'line-cap': 'round' }, paint: { 'line-color': colours.halo, 'line-width': 5 },
    },
    {
      id: `${source} line`, type: 'line', source, filter: ['==', ['geometry-type'], 'LineString'],
      layout: { 'line-join': 'round' }, paint: { 'line-color': colours.measure, 'line-width': 2.4, 'line-dasharray': [3, 1.4] },
    },
    {
      id: `${source} corner`, type: 'circle', source, filter: ['all', ['==', ['geometry-type'], 'Point'], ['!', ['has', 'text']]],
      paint: { 'circle-radius': 4.5, 'circle-color': colours.halo, 'circle-stroke-color': colours.measure, 'circle-stroke-width': 2.4 },
    },
    {
      id: `${source} text`, type: 'symbol', source, filter: ['has', 'text'],
      layout: { 'text-field': ['get', 'text'], 'text-font': BOLD, 'text-size': 12, 'text-allow-overlap': true, 'text-offset': [0, -0.9] },
      paint: { 'text-color': colours.measure, 'text-halo-color': colours.halo, 'text-halo-width': 2 },
    },
  ]
}
