/** What is wrong with a geometry, and where: the rules of simple features (OGC 06-103r4 §6.1.11 and §6.1.14) for straight edges. */
import type { Position } from 'geojson'
import { hasRings, isClosed, partsOf, placeKey, samePlace, type Editable } from './geometry'
import { locate, meet, orient, signedArea } from './orient'
import type { Reason } from './outcome'

export interface Problem {
  reason: Reason
  at: Position
}

/** One bad geometry can have thousands of crossings; a person mends them one after the other. */
export const MAX_PROBLEMS = 50

/** A ring as it is compared: closed, without vertices that repeat the one before. */
interface Ring {
  part: number
  ring: number
  line: Position[]
  /** Places where each edge is touched by other rings of this number. */
  touches: Map<Ring, Map<number, Position[]>>
  /** Rings that it crosses or runs along: where it lies to them is not asked. */
  crosses: Set<Ring>
}
interface Edge {
  ring: Ring
  index: number
  a: Position
  b: Position
  from: number
  to: number
}

export function problems(geometry: Editable): Problem[] {
  const found: Found = new Map()
  if (!hasRings(geometry)) {
    if (geometry.type.endsWith('LineString')) for (const [line] of partsOf(geometry)) if (distinct(line!).length < 2) add(found, 'editing.too-few-points', line![0])
    return [...found.values()]
  }
  const rings: Ring[] = []
  for (const [part, lines] of partsOf(geometry).entries()) {
    for (const [ring, raw] of lines.entries()) {
      const line = distinct(raw)
      const reason = ringReason(raw, line)
      if (reason) add(found, reason, raw[0])
      else rings.push({ part, ring, line, touches: new Map(), crosses: new Set() })
    }
  }
  meetings(rings, found)
  relations(rings, found)
  return [...found.values()]
}

/** True when the geometry can be kept. */
export function isValid(geometry: Editable): boolean {
  return problems(geometry).length === 0
}

/** Problems by what and where, so that each is named once. */
type Found = Map<string, Problem>

function add(found: Found, reason: Reason, at: Position | undefined): void {
  const key = `${reason} ${at && placeKey(at)}`
  if (at && !found.has(key) && found.size < MAX_PROBLEMS) found.set(key, { reason, at })
}

function distinct(line: readonly Position[]): Position[] {
  return line.filter((p, i) => i === 0 || !samePlace(p, line[i - 1]!))
}

function ringReason(raw: readonly Position[], line: readonly Position[]): Reason | undefined {
  if (raw.length > 1 && !isClosed(raw)) return 'editing.ring-not-closed'
  if (new Set(line.map(placeKey)).size < 3) return 'editing.too-few-points'
  if (line.every((p) => orient(line[0]!, line[1]!, p) === 0)) return 'editing.zero-area'
  return undefined
}

/** Every pair of edges whose boxes meet, found by a sweep from west to east. */
function meetings(rings: readonly Ring[], found: Found): void {
  const edges: Edge[] = rings.flatMap((ring) =>
    ring.line.slice(1).map((b, index) => {
      const a = ring.line[index]!
      return { ring, index, a, b, from: Math.min(a[0]!, b[0]!), to: Math.max(a[0]!, b[0]!) }
    }),
  )
  edges.sort((p, q) => p.from - q.from)
  for (const [i, p] of edges.entries()) {
    for (let j = i + 1; j < edges.length && edges[j]!.from <= p.to; j++) compare(p, edges[j]!, found)
  }
}

function compare(p: Edge, q: Edge, found: Found): void {
  const met = meet(p.a, p.b, q.a, q.b)
  if (!met) return
  if (p.ring === q.ring) {
    if (met.kind !== 'touch') add(found, 'editing.crosses-itself', met.at)
    else if (!follow(p, q)) add(found, 'editing.touches-itself', met.at)
    return
  }
  if (met.kind === 'touch') {
    touch(p, q.ring, met.at)
    touch(q, p.ring, met.at)
    return
  }
  p.ring.crosses.add(q.ring)
  q.ring.crosses.add(p.ring)
  add(found, met.kind === 'overlap' && p.ring.part !== q.ring.part ? alongReason(p, q) : crossReason(p.ring, q.ring), met.at)
}

/** One edge begins where the other ends; the last of a ring is before the first. */
function follow(p: Edge, q: Edge): boolean {
  const apart = Math.abs(p.index - q.index)
  return apart === 1 || apart === p.ring.line.length - 2
}

function touch(edge: Edge, other: Ring, at: Position): void {
  const ofOther = edge.ring.touches.get(other) ?? new Map<number, Position[]>()
  edge.ring.touches.set(other, ofOther)
  ofOther.set(edge.index, [...(ofOther.get(edge.index) ?? []), at])
}

function crossReason(p: Ring, q: Ring): Reason {
  if (p.part !== q.part) return 'editing.parts-overlap'
  return p.ring === 0 || q.ring === 0 ? 'editing.hole-crosses-shell' : 'editing.holes-cross'
}

/** Two parts along one edge: beside each other when their insides are on different sides of it. */
function alongReason(p: Edge, q: Edge): Reason {
  const inside = ({ ring: { line, ring }, a, b }: Edge, axis: 0 | 1) => (b[axis]! - a[axis]!) * Math.sign(signedArea(line)) * (ring === 0 ? 1 : -1)
  return inside(p, 0) * inside(q, 0) + inside(p, 1) * inside(q, 1) > 0 ? 'editing.parts-overlap' : 'editing.parts-share-border'
}

/** Where rings lie to each other, for those that do not cross. */
function relations(rings: readonly Ring[], found: Found): void {
  const parts = [...new Set(rings.map((ring) => ring.part))].map((part) => rings.filter((ring) => ring.part === part))
  for (const part of parts) {
    const before = found.size
    const [shell, ...holes] = part as [Ring, ...Ring[]]
    // Without a shell there is nothing that its holes could be outside of.
    if (shell.ring !== 0) continue
    for (const [i, hole] of holes.entries()) {
      const { inside, outside } = sides(hole, [shell])
      if (outside) add(found, inside ? 'editing.hole-crosses-shell' : 'editing.hole-outside', outside)
      for (const other of holes.slice(i + 1)) add(found, 'editing.holes-cross', sides(hole, [other]).inside ?? sides(other, [hole]).inside)
    }
    if (found.size === before && !part.some((ring) => ring.crosses.size > 0)) interior(part, found)
  }
  for (const [i, part] of parts.entries()) {
    for (const other of parts.slice(i + 1)) add(found, 'editing.parts-overlap', sides(part[0]!, other).inside ?? sides(other[0]!, part).inside)
  }
}

/** A place of the ring within a polygon of rings and one outside of it, as far as there are such. */
function sides(ring: Ring, polygon: readonly Ring[]): { inside?: Position; outside?: Position } {
  if (polygon.some((other) => ring.crosses.has(other))) return {}
  if (apart(ring, polygon[0]!)) return { outside: ring.line[0]! }
  const result: { inside?: Position; outside?: Position } = {}
  for (const at of samples(ring, polygon)) {
    const where = within(polygon, at)
    if (where > 0) result.inside ??= at
    if (where < 0) result.outside ??= at
  }
  return result
}

/** One place for each piece between two touches: a vertex that touches nothing where there is one, for it is exact. */
function samples(ring: Ring, polygon: readonly Ring[]): Position[] {
  const touched = new Map<number, Position[]>()
  for (const other of polygon) for (const [index, at] of ring.touches.get(other) ?? []) touched.set(index, [...(touched.get(index) ?? []), ...at])
  if (touched.size === 0) return [ring.line[0]!]
  return [...touched].flatMap(([index, at]) => {
    const [a, b] = [ring.line[index]!, ring.line[index + 1]!]
    const along = (p: Position) => Math.abs(p[0]! - a[0]!) + Math.abs(p[1]! - a[1]!)
    const stops = distinct([a, ...at.toSorted((p, q) => along(p) - along(q)), b])
    const free = (p: Position) => !at.some((t) => samePlace(t, p))
    return stops.slice(1).map((to, i) => {
      const from = stops[i]!
      return free(from) ? from : free(to) ? to : [(from[0]! + to[0]!) / 2, (from[1]! + to[1]!) / 2]
    })
  })
}

function within([shell, ...holes]: readonly Ring[], p: Position): -1 | 0 | 1 {
  const where = locate(shell!.line, p)
  if (where < 1) return where
  for (const hole of holes) {
    const inHole = locate(hole.line, p)
    if (inHole > -1) return inHole === 0 ? 0 : -1
  }
  return 1
}

/** True when the boxes of two rings do not meet. */
function apart(p: Ring, q: Ring): boolean {
  const [a, b] = [boxOf(p), boxOf(q)]
  return a[2] < b[0] || b[2] < a[0] || a[3] < b[1] || b[3] < a[1]
}

const boxes = new WeakMap<Ring, [number, number, number, number]>()
function boxOf(ring: Ring): [number, number, number, number] {
  const known = boxes.get(ring)
  if (known) return known
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [x, y] of ring.line as [number, number][]) {
    box[0] = Math.min(box[0], x)
    box[1] = Math.min(box[1], y)
    box[2] = Math.max(box[2], x)
    box[3] = Math.max(box[3], y)
  }
  boxes.set(ring, box)
  return box
}

/** Rings that touch in a circle cut the inside in two; in a chain they do not. */
function interior(rings: readonly Ring[], found: Found): void {
  const heads = new Map<unknown, unknown>()
  const head = (x: unknown): unknown => (heads.has(x) ? head(heads.get(x)) : x)
  for (const ring of rings) {
    const places = new Map<string, Position>()
    for (const other of rings) for (const at of ring.touches.get(other)?.values() ?? []) for (const p of at) places.set(placeKey(p), p)
    for (const [key, at] of places) {
      const [one, two] = [head(ring), head(key)]
      if (one === two) add(found, 'editing.interior-cut', at)
      else heads.set(one, two)
    }
  }
}
