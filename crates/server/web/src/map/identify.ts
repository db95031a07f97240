/** What lies under a point, and what the whole view shows: the same question, so list and map agree. */
import type { Geometry, Position } from 'geojson'
import type { Collection } from '../lib/api'
import { distanceTo } from '../lib/geodesy'
import type { Lang } from '../lib/i18n'
import { MAX_SELECTION, type Ref } from '../lib/permalink'
import { apiId, labelOf, refKey, type Seen } from '../lib/refs'
import { fitText } from '../style/fit'
import { hitLayers } from '../style/style'
import { isLine, isPoint, treatmentOf } from '../style/treatment'
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
  const found = [...near.filter((f) => !isArea(f.feature.geometry.type)), ...exact.filter((f) => isArea(f.feature.geometry.type))]
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

export interface Name {
  collection: string
  at: Position
  text: string
  fit: number
}

export interface InView {
  seen: Seen[]
  /** Collections, and `collection|class`, with at least one feature in view. */
  present: Set<string>
  /** Names and numbers of areas with their places. */
  names: Name[]
}

/** Every clickable feature of the free part of the map, once, nearest to the crosshair first. */
export function lookAround(map: TownMap, shown: Shown): InView {
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
  // Ground that answers no click is in view where its extent is.
  const corners = [map.engine.unproject([f.left, f.top]), map.engine.unproject([f.right, f.bottom])]
  for (const c of shown.catalogue) {
    if (!shown.visible.has(c.id) || treatmentOf(c).hit !== 'none' || !c.bbox) continue
    const [w, s, e, n] = c.bbox
    if (w <= corners[1]!.lng && e >= corners[0]!.lng && s <= corners[0]!.lat && n >= corners[1]!.lat) present.add(c.id)
  }
  const seen: Seen[] = []
  const names: Name[] = []
  const zoom = map.engine.getZoom()
  for (const { ref, label, pieces } of features.values()) {
    seen.push({ ...ref, label, distance: Math.min(...pieces.map((g) => distanceTo(g, center))) })
    const c = byId.get(ref.collection)
    if (!label || !c || isPoint(c) || isLine(c)) continue
    // Half a zoom early, so that the names are there when the reader arrives.
    if (zoom < treatmentOf(c).labelZoom - 0.5) continue
    const text = shortNumber(label)
    // A placeholder such as `---` names nothing.
    if (!/[\p{L}\p{N}]/u.test(text)) continue
    const best = pieces.map((g) => fitText(g, text)).filter((x) => x !== undefined).sort((a, b) => a.zoom - b.zoom)[0]
    if (best) names.push({ collection: c.id, at: best.at, text, fit: Math.round(best.zoom * 100) / 100 })
  }
  const rank = new Map(layers.map((l, i) => [l.collection, i]))
  seen.sort((a, b) => a.distance - b.distance || rank.get(a.collection)! - rank.get(b.collection)!)
  return { seen, present, names }
}

/** On the map a cadastral number of a zone, quarter or parcel is its last part: the rest is the same all around. */
export function shortNumber(label: string): string {
  return /^\d{10}(?::\d{2,3})*:(\d{2,4})$/.exec(label)?.[1] ?? label
}

/** Id of the class that colours the feature, `property|group`, or `other`. */
export function classOf(c: Collection, properties: Record<string, unknown> | null): string {
  const classes = treatmentOf(c).classes ?? []
  const used = classes.find((k) => properties?.[k.property] !== undefined && properties?.[k.property] !== null)
  if (!used) return 'other'
  const value = String(properties?.[used.property])
  const group = used.groups.find((g) => g.values.map(String).includes(value))
  return group ? `${used.property}|${group.id}` : 'other'
}
