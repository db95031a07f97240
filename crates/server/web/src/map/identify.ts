/** What lies under a point, and what the whole view shows: the same question, so list and map agree. */
import type { Geometry, Position } from 'geojson'
import type { Bounds, Collection } from '../lib/api'
import { area, boundsOf, distanceTo } from '../lib/geodesy'
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
  preset?: string | undefined
}

/** Features at a point: points, lines, then areas from small to large. */
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
  // Small before large: as far as tiles show it, else by how much ground a feature of the collection has on average.
  const sizes = new Map(found.map((f) => [f, isArea(f.feature.geometry.type) ? area(f.feature.geometry) : 0]))
  const mean = new Map(shown.catalogue.map((c) => [c.id, c.bbox ? ((c.bbox[2] - c.bbox[0]) * (c.bbox[3] - c.bbox[1])) / Math.max(1, c.itemCount) : Infinity]))
  found.sort((a, b) => {
    const [one, two] = [sizes.get(a)!, sizes.get(b)!]
    if (one === 0 || two === 0) return one === two ? rank.get(a.layer)! - rank.get(b.layer)! : one - two
    return Math.abs(one - two) > 0.05 * Math.max(one, two) ? one - two : mean.get(a.collection)! - mean.get(b.collection)!
  })
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
  /** Collections with anything drawn in view, the ground under it too. */
  drawn: Set<string>
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
  const treatments = new Map(shown.catalogue.map((c) => [c.id, treatmentOf(c, shown.preset)]))
  const features = new Map<string, { ref: Ref; label: string; pieces: Geometry[] }>()
  const present = new Set<string>()
  const drawn = new Set<string>()
  const box: Bounds = [...map.engine.unproject([f.left, f.bottom]).toArray(), ...map.engine.unproject([f.right, f.top]).toArray()]
  const buildings: Geometry[] = []
  for (const { collection, feature } of found) {
    const id = apiId(feature)
    if (id === undefined) continue
    const ref = { collection, id }
    const key = refKey(ref)
    drawn.add(collection)
    const c = byId.get(collection)
    const t = treatments.get(collection)
    // Inside of a border nothing of it is to be seen: the legend names it where its line is.
    const outline = c && (t?.recipe === 'boundary' || t?.recipe === 'territory') && !isLine(c)
    if (c && (!outline || crosses(feature.geometry, box))) {
      present.add(collection)
      present.add(`${collection}|${classOf(c, feature.properties)}`)
      const kind = t?.iconBy && feature.properties?.[t.iconBy.property]
      if (kind !== undefined && kind !== null) present.add(`${collection}|kind=${String(kind)}`)
    }
    if (t?.recipe === 'building') buildings.push(feature.geometry)
    const known = features.get(key)
    if (known) {
      known.pieces.push(feature.geometry)
      continue
    }
    features.set(key, { ref, label: labelOf(feature.properties, c, shown.lang), pieces: [feature.geometry] })
  }
  // Ground that answers no click is in view where its extent is, its border where the line is.
  for (const c of shown.catalogue) {
    if (!shown.visible.has(c.id) || treatments.get(c.id)!.hit !== 'none' || !c.bbox) continue
    const [w, s, e, n] = c.bbox
    if (w > box[2] || e < box[0] || s > box[3] || n < box[1]) continue
    drawn.add(c.id)
    const around: [[number, number], [number, number]] = [[f.left, f.top], [f.right, f.bottom]]
    if (map.query([`${c.id} line`], around).some((x) => crosses(x.feature.geometry, box))) present.add(c.id)
  }
  const placed = obstacles(buildings)
  const seen: Seen[] = []
  const names: Name[] = []
  const zoom = map.engine.getZoom()
  for (const { ref, label, pieces } of features.values()) {
    seen.push({ ...ref, label, distance: Math.min(...pieces.map((g) => distanceTo(g, center))) })
    const c = byId.get(ref.collection)
    if (!label || !c || isPoint(c) || isLine(c)) continue
    // Half a zoom early, so that the names are there when the reader arrives.
    const t = treatments.get(c.id)!
    if (zoom < t.labelZoom - 0.5 || (t.maxLabelZoom !== undefined && zoom > t.maxLabelZoom)) continue
    const text = `${t.prefix?.[shown.lang] ?? ''}${shortNumber(label)}`
    // A placeholder such as `---` names nothing.
    if (!/[\p{L}\p{N}]/u.test(text)) continue
    const best = pieces.map((g) => fitText(g, text, t.recipe === 'parcel' ? placed(g) : [])).filter((x) => x !== undefined).sort((a, b) => a.zoom - b.zoom)[0]
    if (best) names.push({ collection: c.id, at: best.at, text, fit: Math.round(best.zoom * 100) / 100 })
  }
  const rank = new Map(layers.map((l, i) => [l.collection, i]))
  seen.sort((a, b) => a.distance - b.distance || rank.get(a.collection)! - rank.get(b.collection)!)
  return { seen, present, drawn, names }
}

/** True when a line or border passes through the box; the straight cuts of tiles are no borders. */
export function crosses(geometry: Geometry, [w, s, e, n]: Bounds): boolean {
  if (geometry.type === 'Point' || geometry.type === 'MultiPoint' || geometry.type === 'GeometryCollection') return false
  const { coordinates } = geometry
  const lines = geometry.type === 'LineString' ? [coordinates] : geometry.type === 'MultiPolygon' ? coordinates.flat() : coordinates
  return (lines as Position[][]).some((line) =>
    line.some((b, i) => {
      const a = line[i - 1]
      if (!a || a[0] === b[0] || a[1] === b[1]) return false
      // Liang–Barsky: the part of the segment that lies within each pair of sides.
      let [from, to] = [0, 1]
      for (const [start, end, low, high] of [[a[0]!, b[0]!, w, e], [a[1]!, b[1]!, s, n]] as const) {
        const [one, two] = [(low - start) / (end - start), (high - start) / (end - start)]
        from = Math.max(from, Math.min(one, two))
        to = Math.min(to, Math.max(one, two))
      }
      return from <= to
    }),
  )
}

/** Finds which of `all` may lie over a geometry: by their boxes. */
function obstacles(all: readonly Geometry[]): (g: Geometry) => Geometry[] {
  const boxes = all.map((g) => ({ g, b: boundsOf(g) }))
  return (g) => {
    const [w, s, e, n] = boundsOf(g)
    return boxes.filter(({ b }) => b[0] <= e && b[2] >= w && b[1] <= n && b[3] >= s).map((x) => x.g)
  }
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
