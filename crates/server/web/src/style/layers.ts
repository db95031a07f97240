/** Layers of one collection, by recipe. Zooms are those of 512-pixel tiles. */
import type { ExpressionSpecification, FilterSpecification, LayerSpecification } from 'maplibre-gl'
import type { Collection } from '../lib/api'
import type { Lang } from '../lib/i18n'
import type { Theme } from '../lib/permalink'
import { colourOf, coloursOf, symbolOn, type Colours } from './colours'
import { isLine, isPoint, type Treatment } from './treatment'
import { patternName } from './pattern'

export interface Placed {
  layer: LayerSpecification
  order: number
}
export interface Context {
  theme: Theme
  lang: Lang
  /** For a map that has our tiles and sprite but not this program: names come from the tiles, and nothing waits for a click. */
  alone?: boolean
}
type Expression = ExpressionSpecification
type Stops = [zoom: number, value: number | Expression][]

export const REGULAR = ['Noto Sans Regular']
export const BOLD = ['Noto Sans Bold']
/** Source of names and numbers of areas: one point a feature, where tiles would repeat it in each of theirs. */
export const NAMES = 'app names'
const ITALIC = ['Noto Sans Italic']
/** Labels are drawn above every line and fill. */
const LABELS = 1000
/** Half of it to each side: a finger or an unsteady hand still meets a line. */
const HIT_WIDTH = 14
/** Streets wider than the rest by more than this factor are main ones. */
const MAIN = 1.3
const BORDERS: ReadonlySet<Treatment['recipe']> = new Set(['boundary', 'territory', 'land'])
const POLYGONS: FilterSpecification = ['match', ['geometry-type'], ['Polygon', 'MultiPolygon'], true, false]
const LINES: FilterSpecification = ['match', ['geometry-type'], ['LineString', 'MultiLineString'], true, false]
const POINTS: FilterSpecification = ['match', ['geometry-type'], ['Point', 'MultiPoint'], true, false]

export function hitLayer(collection: string): string {
  return `${collection} hit`
}

export function layersOf(c: Collection, t: Treatment, { theme, lang, alone = false }: Context): Placed[] {
  const paint: Paint = { c, t, colours: coloursOf(theme), theme, lang, alone, colour: classColour(t, theme), out: [] }
  if (c.geometryType === 'geometry') mixed(paint)
  else RECIPE[t.recipe](paint)
  if (!alone) hit(paint)
  return paint.out
}

interface Paint {
  c: Collection
  t: Treatment
  colours: Colours
  theme: Theme
  lang: Lang
  alone: boolean
  colour: string | Expression
  out: Placed[]
}

/** Colour of the feature's class; the first property that the feature has decides. */
function classColour(t: Treatment, theme: Theme): string | Expression {
  const plain = colourOf(t.colour, theme)
  if (!t.classes?.length) return plain
  const cases = t.classes.flatMap((k) => [
    ['has', k.property],
    ['match', ['to-string', ['get', k.property]], ...k.groups.flatMap((g) => [g.values.map(String), colourOf(g.colour, theme)]), plain],
  ])
  return ['case', ...cases, plain] as unknown as Expression
}

const RECIPE: Record<Treatment['recipe'], (p: Paint) => void> = {
  land(p) {
    fill(p, p.colours.land)
    line(p, 'band', p.colour, stops([8, 3], [13, 7], [16, 12]), { 'line-opacity': 0.16 }, 0.1)
    line(p, 'line', p.colour, stops([8, 0.8], [13, 1.4], [17, 2]), { 'line-dasharray': [5, 2] }, 58)
  },
  water(p) {
    fill(p, p.colours.river)
    label(p, { font: ITALIC, size: stops([12, 11], [16, 14]), colour: p.colours.water, slack: 1 })
  },
  block(p) {
    fill(p, p.colours.block)
    line(p, 'line', p.colours.blockLine, stops([12, 0.3], [16, 0.8]), {}, 0.1)
  },
  settlement(p) {
    fill(p, p.colours.settlementFill, { 'fill-opacity': 0.8 })
    line(p, 'line', p.colour, stops([9, 0.3], [14, 1]), { 'line-opacity': fade([9, 0.35], [13, 0.8]) }, 0.1)
    label(p, { font: REGULAR, size: stops([10, 10.5], [14, 14]), maxzoom: 15, slack: 2 })
  },
  building(p) {
    fill(p, p.colours.building)
    line(p, 'line', p.colours.buildingLine, stops([15, 0.3], [18, 0.9]), {}, 0.1)
  },
  parcel(p) {
    // Hairline: thin enough that a street of narrow plots stays paper and not a grey mass.
    line(p, 'line', p.colour, exponential(1.4, [15.5, 0.4], [17, 0.7], [20, 1.2]))
    label(p, { font: REGULAR, size: stops([17, 10], [19, 12]), colour: p.t.colour === 'parcel' ? p.colours.parcelNumber : p.colours.labelSoft, padding: 1 })
  },
  zone(p) {
    fill(p, p.colour, { 'fill-opacity': fade([10, 0.4], [15, 0.33], [18, 0.16]) })
    line(p, 'line', p.colour, stops([11, 0.4], [15, 1], [18, 2]), { 'line-opacity': 0.9 }, 0.1)
    label(p, { font: BOLD, size: stops([14, 10.5], [17, 13]), colour: p.colours.label })
  },
  overlay(p) {
    // The app draws hatches itself: elsewhere there is no image of their name.
    if (p.alone) fill(p, p.colour, { 'fill-opacity': fade([11, 0.2], [16, 0.14]) })
    else add(p, 'hatch', { type: 'fill', paint: { 'fill-pattern': patternName(colourOf(p.t.colour, p.theme)), 'fill-opacity': fade([11, 0.55], [16, 0.4]) }, filter: POLYGONS })
    line(p, 'line', p.colour, stops([11, 0.8], [16, 1.6]), { 'line-dasharray': [4, 2] }, 0.1)
    label(p, { font: ITALIC, size: stops([15, 10.5], [18, 12]), colour: colourOf(p.t.colour, p.theme) })
  },
  boundary(p) {
    // Neighbours share a border and both draw it: what is transparent would be darker there.
    const k = p.t.width ?? 1
    line(p, 'band', p.colour, stops([8, 1.5 * k], [13, 3 * k], [16, 8]), { 'line-opacity': 0.12 })
    line(p, 'line', p.colour, stops([6, 0.4 * k], [11, 0.6 * k], [13, 0.9 * k], [17, 1.5 * k]), p.t.dash ? { 'line-dasharray': p.t.dash } : {}, 0.1)
    label(p, { font: REGULAR, size: stops([8, 10.5], [13, 13.5]), spacing: 0.06, colour: colourOf(p.t.colour, p.theme), slack: 1.2 })
  },
  territory(p) {
    // The ground lies under everything, whatever the order of the border.
    add(p, 'fill', { type: 'fill', paint: { 'fill-color': p.colours.land, 'fill-antialias': false }, filter: POLYGONS }, -p.t.order + 4)
    RECIPE.boundary(p)
  },
  street(p) {
    const factor = widthFactor(p.t)
    const widths: [number, number][] = [[10, 0.4], [12, 0.9], [13, 1.5], [14, 2.4], [15, 4], [16, 7], [18, 24], [20, 90]]
    // In the view of the whole town the main streets carry the picture.
    const boost: Record<number, number> = { 10: 0.9, 12: 1.9, 13: 2, 14: 1.4 }
    const zooms = (extra: (zoom: number) => number): Expression =>
      ['interpolate', ['linear'], ['zoom'], ...widths.flatMap(([z, w]) => [z, ['+', ['*', w, factor], ['*', ['-', factor, 1], boost[z] ?? 0], extra(z)]])] as unknown as Expression
    const main: Expression = ['>', factor, MAIN] as unknown as Expression
    const either = (yes: string, no: string): Expression | string => (factor === 1 ? no : (['case', main, yes, no] as unknown as Expression))
    const sorted = factor === 1 ? {} : { 'line-sort-key': factor }
    line(p, 'casing', either(p.colours.streetMainCasing, p.colours.streetCasing), zooms((z) => (z < 13 ? 0.8 : 1.6)), { 'line-opacity': fade([10, 0.6], [13, 1]) }, 0, sorted)
    line(p, 'line', either(p.colours.streetMain, p.colours.street), zooms(() => 0), { 'line-opacity': fade([10, 0.85], [13, 1]) }, 0.1, sorted)
    lineLabel(p, stops([13, 10.5], [14, 10.5], [16, 12.5], [18, 14]), factor)
  },
  pipe(p) {
    const casing = p.t.casing ? colourOf(p.t.casing, p.theme) : undefined
    line(p, 'casing', casing ?? p.colours.halo, casing ? exponential(1.3, [12, 1.9], [16, 4], [20, 7.4]) : exponential(1.3, [12, 2], [16, 4.2], [20, 8]), { 'line-opacity': casing ? 1 : 0.75 })
    line(p, 'line', p.colour, exponential(1.3, [12, 0.9], [16, 2.2], [20, 5]), p.t.dash ? { 'line-dasharray': p.t.dash } : {}, 0.1)
    if (p.t.flow) arrows(p)
  },
  line(p) {
    line(p, 'line', p.colour, exponential(1.3, [10, 0.8], [16, 1.8], [20, 3]), p.t.dash ? { 'line-dasharray': p.t.dash } : {})
    lineLabel(p, stops([15, 10.5], [18, 12]))
  },
  area(p) {
    fill(p, p.colour, { 'fill-opacity': fade([10, 0.35], [16, 0.22]) })
    line(p, 'line', p.colour, stops([10, 0.6], [16, 1.4]), {}, 0.1)
    label(p, { font: REGULAR, size: stops([14, 10.5], [18, 13]), colour: colourOf(p.t.colour, p.theme) })
  },
  node(p) {
    disc(p, stops([13, 1.4], [15, 2.2], [16, 3.4], [17, 7], [19, 11]))
    if (!p.t.icon) return
    add(p, 'icon', {
      type: 'symbol',
      minzoom: Math.max(16.5, p.t.minzoom),
      layout: {
        'icon-image': iconOf(p.t),
        'icon-size': interpolate(stops([16.5, 0.34], [17, 0.46], [19, 0.72])),
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
      },
      paint: { 'icon-color': typeof p.colour === 'string' ? symbolOn(p.colour, p.theme) : p.colours.onSymbol, 'icon-opacity': fade([16.5, 0], [16.8, 1]) },
      filter: POINTS,
    }, 0.2)
  },
  point(p) {
    disc(p, stops([8, 2.2], [14, 4], [18, 7]))
    label(p, { font: REGULAR, size: stops([15, 10.5], [18, 12.5]), offset: [0, 0.9], anchor: 'top' })
  },
  address(p) {
    add(p, 'dot', { type: 'circle', paint: { 'circle-radius': interpolate(stops([17, 1.4], [20, 2.6])), 'circle-color': p.colour, 'circle-opacity': 0.7 }, filter: POINTS })
    label(p, { font: REGULAR, size: stops([17, 10], [20, 12.5]), offset: [0, 0.5], anchor: 'top', colour: colourOf(p.t.colour, p.theme) })
  },
}

/** A collection with points, lines and polygons together: each kind in the plainest way. */
function mixed(p: Paint): void {
  const recipe = p.t.recipe
  if (recipe === 'street' || recipe === 'pipe' || recipe === 'node' || recipe === 'point' || recipe === 'line') {
    RECIPE[recipe](p)
    return
  }
  RECIPE[recipe](p)
  if (recipe === 'area') disc(p, stops([8, 2.2], [14, 4], [18, 7]))
}

// ---- pieces ----

function add(p: Paint, name: string, layer: object, lift = 0): void {
  const spec = {
    id: `${p.c.id} ${name}`,
    source: p.c.id,
    'source-layer': p.c.id,
    minzoom: p.t.minzoom,
    ...layer,
    metadata: { collection: p.c.id },
  } as unknown as LayerSpecification
  p.out.push({ layer: spec, order: p.t.order + lift })
}

function fill(p: Paint, colour: string | Expression, paint: object = {}): void {
  add(p, 'fill', { type: 'fill', paint: { 'fill-color': colour, 'fill-antialias': false, ...paint }, filter: POLYGONS })
}

function line(p: Paint, name: string, colour: string | Expression, width: Stops | Expression, paint: object = {}, lift = 0, layout: object = {}): void {
  const dashed = 'line-dasharray' in paint
  add(p, name, {
    type: 'line',
    // Borders have corners closer than a pixel, where every round join or bevel would darken the line once more.
    layout: { ...(BORDERS.has(p.t.recipe) ? { 'line-join': 'miter', 'line-miter-limit': 4 } : { 'line-join': 'round' }), 'line-cap': dashed ? 'butt' : 'round', ...layout },
    paint: { 'line-color': colour, 'line-width': isStops(width) ? interpolate(width) : width, ...paint },
    ...(p.c.geometryType === 'geometry' ? { filter: ['any', LINES, POLYGONS] } : {}),
  }, lift)
}

/** How much wider a point is that stands for many. */
const CROWD = ['case', ['has', '_count'], ['interpolate', ['linear'], ['get', '_count'], 2, 1.8, 100, 3, 10_000, 5], 1]

function disc(p: Paint, radius: Stops): void {
  const crowd: Stops = radius.map(([zoom, value]) => [zoom, ['*', value, CROWD] as unknown as Expression])
  add(p, 'disc', {
    type: 'circle',
    paint: {
      'circle-radius': interpolate(crowd),
      'circle-color': p.colour,
      'circle-stroke-color': p.t.casing ? colourOf(p.t.casing, p.theme) : p.colours.halo,
      'circle-stroke-width': interpolate(stops([13, 0.5], [16, 1.5])),
    },
    filter: POINTS,
  })
  add(p, 'count', {
    type: 'symbol',
    layout: { 'text-field': ['to-string', ['get', '_count']], 'text-font': REGULAR, 'text-size': 11, 'text-allow-overlap': true },
    paint: { 'text-color': typeof p.colour === 'string' ? symbolOn(p.colour, p.theme) : p.colours.onSymbol },
    filter: ['has', '_count'],
  }, 0.3)
}

interface LabelOptions {
  font: string[]
  size: Stops
  colour?: string
  spacing?: number
  offset?: [number, number]
  anchor?: string
  maxzoom?: number
  padding?: number
  /** Zooms by which a name may be larger than its area; 0 keeps it wholly inside. */
  slack?: number
}

function label(p: Paint, o: LabelOptions): void {
  const area = !p.alone && !isPoint(p.c) && !isLine(p.c) && p.c.geometryType !== 'geometry'
  const text = area ? (p.c.labelProperty ? ['get', 'text'] : undefined) : labelText(p)
  if (!text) return
  const maxzoom = p.t.maxLabelZoom ?? o.maxzoom
  add(p, 'label', {
    type: 'symbol',
    minzoom: p.t.labelZoom,
    ...(maxzoom === undefined ? {} : { maxzoom }),
    layout: {
      'text-field': text,
      'text-font': o.font,
      'text-size': interpolate(o.size),
      'text-letter-spacing': o.spacing ?? 0,
      'text-max-width': 9,
      'text-padding': o.padding ?? 4,
      ...(o.offset ? { 'text-offset': o.offset } : {}),
      ...(o.anchor ? { 'text-anchor': o.anchor } : {}),
    },
    paint: {
      'text-color': o.colour ?? p.colours.label,
      'text-halo-color': p.colours.halo,
      'text-halo-width': 1.4,
      ...(area ? { 'text-opacity': fitting(o.slack ?? 0) } : {}),
    },
    ...(area ? { source: NAMES, 'source-layer': undefined, filter: ['all', ['==', ['get', 'collection'], p.c.id], ['<=', ['get', 'fit'], ['+', ['zoom'], 1 + (o.slack ?? 0)]]] } : {}),
  }, LABELS + p.t.order / 1000)
}

function lineLabel(p: Paint, size: Stops, importance: Expression | number = 1): void {
  const text = labelText(p)
  if (!text) return
  const early = importance !== 1 && p.t.mainLabelZoom !== undefined ? Math.max(p.t.mainLabelZoom, p.t.minzoom) : undefined
  const filters = [
    ...(p.c.geometryType === 'geometry' ? [LINES] : []),
    ...(early === undefined ? [] : [['any', ['>=', ['zoom'], p.t.labelZoom], ['>', importance, MAIN]]]),
  ]
  add(p, 'label', {
    type: 'symbol',
    minzoom: early ?? p.t.labelZoom,
    layout: {
      'symbol-placement': 'line',
      ...(importance === 1 ? {} : { 'symbol-sort-key': ['-', importance] }),
      'symbol-spacing': 320,
      'text-field': text,
      'text-font': REGULAR,
      'text-size': interpolate(size),
      'text-letter-spacing': 0.03,
      'text-max-angle': 30,
    },
    // Names lie over pipes and cables: dark, in a halo that hides what is below.
    paint: { 'text-color': p.colours.label, 'text-halo-color': p.colours.halo, 'text-halo-width': 2.5 },
    ...(filters.length > 0 ? { filter: ['all', ...filters] } : {}),
  }, LABELS - 10)
}

function arrows(p: Paint): void {
  add(p, 'arrows', {
    type: 'symbol',
    minzoom: 18,
    layout: { 'symbol-placement': 'line', 'symbol-spacing': 90, 'icon-image': 'arrow', 'icon-size': 0.5, 'icon-allow-overlap': true },
    paint: { 'icon-color': p.colour, 'icon-halo-color': p.colours.halo, 'icon-halo-width': 1.2 },
  }, 0.2)
}

/** What answers a click: invisible, as wide as a finger needs, in exactly the zooms where the collection is drawn. */
function hit(p: Paint): void {
  const { c, t } = p
  if (t.hit === 'none') return
  const id = hitLayer(c.id).slice(c.id.length + 1)
  if (isPoint(c)) {
    add(p, id, { type: 'circle', paint: { 'circle-radius': interpolate(stops([10, 4], [16, 9], [19, 12])), 'circle-opacity': 0 } }, 0.5)
  } else if (isLine(c)) {
    add(p, id, { type: 'line', paint: { 'line-width': HIT_WIDTH, 'line-opacity': 0 } }, 0.5)
  } else if (c.geometryType === 'geometry') {
    add(p, id, { type: 'fill', paint: { 'fill-opacity': 0 }, filter: POLYGONS }, 0.5)
    add(p, `${id} line`, { type: 'line', paint: { 'line-width': HIT_WIDTH, 'line-opacity': 0 }, filter: LINES }, 0.5)
    add(p, `${id} point`, { type: 'circle', paint: { 'circle-radius': 8, 'circle-opacity': 0 }, filter: POINTS }, 0.5)
  } else {
    add(p, id, { type: 'fill', paint: { 'fill-opacity': 0 } }, 0.5)
  }
}

/** The feature's name, in the reader's language where the data has it (`name_en` beside `name`). */
export function labelText(p: { c: Collection; t: Treatment; lang: Lang }): Expression | undefined {
  const property = p.c.labelProperty
  if (!property) return undefined
  return ['to-string', ['coalesce', ...(p.t.label ? [['get', p.t.label]] : []), ['get', `${property}_${p.lang}`], ['get', property], '']] as unknown as Expression
}

/** Shows a name from the zoom where it fits: in quarters of a zoom, because labels are laid out once a whole zoom. */
function fitting(slack: number): Expression {
  const out: unknown[] = ['step', ['zoom'], 1]
  for (let z = 5; z <= 22; z += 0.25) out.push(z, ['case', ['<=', ['get', 'fit'], z + slack], 1, 0])
  return out as unknown as Expression
}

function widthFactor(t: Treatment): Expression | number {
  if (!t.widthBy?.length) return 1
  const cases = t.widthBy.flatMap((w) => [['has', w.property], ['match', ['to-string', ['get', w.property]], ...Object.entries(w.values).flat(), 1]])
  return ['case', ...cases, 1] as unknown as Expression
}

function iconOf(t: Treatment): Expression | string {
  if (!t.iconBy) return t.icon ?? 'dot'
  return ['match', ['to-string', ['get', t.iconBy.property]], ...Object.entries(t.iconBy.values).flat(), t.icon ?? 'dot'] as unknown as Expression
}

function stops(...pairs: [number, number][]): Stops {
  return pairs
}
function isStops(width: Stops | Expression): width is Stops {
  return Array.isArray(width[0])
}
function interpolate(pairs: Stops): Expression {
  return ['interpolate', ['linear'], ['zoom'], ...pairs.flat()] as unknown as Expression
}
function exponential(base: number, ...pairs: [number, number][]): Expression {
  return ['interpolate', ['exponential', base], ['zoom'], ...pairs.flat()] as unknown as Expression
}
function fade(...pairs: [number, number][]): Expression {
  return interpolate(pairs)
}
