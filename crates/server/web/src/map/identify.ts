/** What lies under a point, and what the whole view shows: the same question, so list and map agree. */
import type { Geometry, Position } from 'geojson'
import type { Collection } from '../lib/api'
import { distanceTo } from '../lib/geodesy'
import type { Lang } from '../lib/i18n'
import { MAX_SELECTION, type Ref } from '../lib/permalink'
import { apiId, labelOf, refKey, type Seen } from '../lib/refs'
import { fitText } from '../style/fit'
import { hitLayers } from '../style/style'
import { treatmentOf } from '../style/treatment'
import type { TownMap } from './map'

/** Points and lines answer within this many pixels (ux: 10 px hit tolerance, half to each side plus their own size). */
const TOLERANCE = 5

export interface Shown {
  catalogue: readonly Collection[]
  visible: ReadonlySet<string>
  lang: Lang
}

/** Features at a point, topmost first: points, lines, then areas from small to large. */
export function identify(map: TownMap, at: { x: number; y: number }, shown: Shown): Ref[] {
  const layers = hitLayers(shown.catalogue, shown.visible)
  const rank = new Map(layers.map((l, i) => [l.layer, i]))
  const ids = layers.map((l) => l.layer)
  const near = map.query(ids, [
    [at.x - TOLERANCE, at.y - TOLERANCE],
    [at.x + TOLERANCE, at.y + TOLERANCE],
  ])
  const exact = map.query(ids, [
    [at.x, at.y],
    [at.x, at.y],
  ])
  const isArea = (type: string) => type === 'Polygon' || type === 'MultiPolygon'
  const areaFill = (layer: string) => map.engine.getLayer(layer)?.type === 'fill'
  const found = [
    ...near.filter((f) => !(isArea(f.feature.geometry.type) && areaFill(f.layer))),
    ...exact.filter((f) => isArea(f.feature.geometry.type) && areaFill(f.layer)),
  ]
  found.sort((a, b) => rank.get(a.layer)! - rank.get(b.layer)!)
  const refs = new Map<string, Ref>()
  for (const { collection, feature } of found) {
    const id = apiId(feature)
    if (id === undefined) continue
    const ref = { collection, id }
    if (!refs.has(refKey(ref))) refs.set(refKey(ref), ref)
    if (refs.size >= MAX_SELECTION) break
  }
  return [...refs.values()]
}

export interface InView {
  seen: Seen[]
  /** Collections, and `collection|class`, with at least one feature in view. */
  present: Set<string>
  /** Parcel numbers with their places. */
  numbers: { at: Position; text: string; fit: number }[]
}

/** Every clickable feature of the free part of the map, once, nearest to the crosshair first. */
export function lookAround(map: TownMap, shown: Shown, numbersFrom: number): InView {
  const layers = hitLayers(shown.catalogue, shown.visible)
  const f = map.free()
  const found = map.query(layers.map((l) => l.layer), [
    [f.left, f.top],
    [f.right, f.bottom],
  ])
  const center = map.engine.unproject(Object.values(map.crosshair()) as [number, number]).toArray()
  const byId = new Map(shown.catalogue.map((c) => [c.id, c]))
  const features = new Map<string, { ref: Ref; label: string; pieces: Geometry[] }>()
  const present = new Set<string>()
  for (const { collection, feature } of found) {
    const id = apiId(feature)
    if (id === undefined) continue
    const ref = { collection, id }
    const key = refKey(ref)
    const known = features.get(key)
    if (known) {
      known.pieces.push(feature.geometry)
      continue
    }
    const c = byId.get(collection)
    features.set(key, { ref, label: labelOf(feature.properties, c, shown.lang), pieces: [feature.geometry] })
    present.add(collection)
    if (c) present.add(`${collection}|${classOf(c, feature.properties)}`)
  }
  const seen: Seen[] = []
  const numbers: InView['numbers'] = []
  const withNumbers = map.engine.getZoom() >= numbersFrom
  for (const { ref, label, pieces } of features.values()) {
    seen.push({ ...ref, label, distance: Math.min(...pieces.map((g) => distanceTo(g, center))) })
    const c = byId.get(ref.collection)
    if (!withNumbers || !label || !c || treatmentOf(c).recipe !== 'parcel') continue
    const text = shortNumber(label)
    const fits = pieces.map((g) => fitText(g, text)).filter((x) => x !== undefined)
    const best = fits.sort((a, b) => a.zoom - b.zoom)[0]
    if (best) numbers.push({ at: best.at, text, fit: Math.round(best.zoom * 100) / 100 })
  }
  seen.sort((a, b) => a.distance - b.distance || a.collection.localeCompare(b.collection))
  return { seen, present, numbers }
}

/** On the map a cadastral number is its last part: zone and quarter have labels of their own. */
export function shortNumber(label: string): string {
  return /^\d{10}:\d{2}:\d{3}:(\d{4})$/.exec(label)?.[1] ?? label
}

/** Id of the class that colours the feature, or `other`. */
export function classOf(c: Collection, properties: Record<string, unknown> | null): string {
  const classes = treatmentOf(c).classes ?? []
  const used = classes.find((k) => properties?.[k.property] !== undefined && properties?.[k.property] !== null)
  if (!used) return 'other'
  const value = String(properties?.[used.property])
  return used.groups.find((g) => g.values.map(String).includes(value))?.id ?? 'other'
}
