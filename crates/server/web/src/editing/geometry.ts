/**
 * Vertices, rings and parts of a geometry by their paths. Every change gives a new geometry that shares what it did not
 * touch with the old one. The closing vertex of a ring has no path of its own: it follows the first.
 */
import type { Geometry, GeometryCollection, Position } from 'geojson'
import { isRefused, refuse, type Outcome } from './outcome'

export type Editable = Exclude<Geometry, GeometryCollection>

/** Zero-based. `part` counts the members of a Multi geometry, `ring` the rings of a polygon (0 is the shell); 0 where there is no choice. */
export interface Path {
  part: number
  ring: number
  vertex: number
}
/** A segment has the path of the vertex where it begins. */
export type SegmentPath = Path

/** `part`, then `ring`, then positions; a point is a line of one position. */
export type Parts = readonly (readonly (readonly Position[])[])[]

export function isEditable(geometry: Geometry | null | undefined): geometry is Editable {
  return !!geometry && geometry.type !== 'GeometryCollection'
}

/** True when lines are rings. */
export function hasRings(geometry: Editable): boolean {
  return geometry.type === 'Polygon' || geometry.type === 'MultiPolygon'
}

export function partsOf(geometry: Editable): Parts {
  switch (geometry.type) {
    case 'Point':
      return [[[geometry.coordinates]]]
    case 'MultiPoint':
      return geometry.coordinates.map((p) => [[p]])
    case 'LineString':
      return [[geometry.coordinates]]
    case 'MultiLineString':
      return geometry.coordinates.map((line) => [line])
    case 'Polygon':
      return [geometry.coordinates]
    case 'MultiPolygon':
      return geometry.coordinates
  }
}

const MULTI = { Point: 'MultiPoint', LineString: 'MultiLineString', Polygon: 'MultiPolygon' } as const

/** The geometry with other parts; a single one with more than one part becomes its Multi type. Other members stay. */
function withParts(geometry: Editable, parts: Parts): Editable {
  const type = parts.length > 1 && geometry.type in MULTI ? MULTI[geometry.type as keyof typeof MULTI] : geometry.type
  // A box of the old shape would be wrong.
  const { bbox: _, ...rest } = geometry
  return { ...rest, type, coordinates: coordinates(type, parts) } as Editable
}

function coordinates(type: Editable['type'], parts: Parts): unknown {
  switch (type) {
    case 'Point':
      return parts[0]![0]![0]
    case 'MultiPoint':
      return parts.map((part) => part[0]![0])
    case 'LineString':
      return parts[0]![0]
    case 'MultiLineString':
      return parts.map((part) => part[0])
    case 'Polygon':
      return parts[0]
    case 'MultiPolygon':
      return parts
  }
}

/** The whole geometry by so many degrees; heights stay. */
export function translate(geometry: Editable, [east, north]: readonly [number, number]): Editable {
  const shifted = ([x, y, ...rest]: Position): Position => [x! + east, y! + north, ...rest]
  return withParts(geometry, partsOf(geometry).map((part) => part.map((line) => line.map(shifted))))
}

/** Equal places; heights do not matter. */
export function samePlace(a: Position, b: Position): boolean {
  return a[0] === b[0] && a[1] === b[1]
}

/** Equal for equal places only: the shortest decimal of a double is its own. */
export function placeKey(position: Position): string {
  return `${position[0]} ${position[1]}`
}

export function isClosed(ring: readonly Position[]): boolean {
  return ring.length > 1 && samePlace(ring[0]!, ring.at(-1)!)
}

/** Positions of a ring without the closing one. */
export function opened(ring: readonly Position[]): readonly Position[] {
  return isClosed(ring) ? ring.slice(0, -1) : ring
}

export function closed(ring: readonly Position[]): readonly Position[] {
  return ring.length === 0 || isClosed(ring) ? ring : [...ring, ring[0]!]
}

export function* vertices(geometry: Editable): Generator<{ path: Path; position: Position }> {
  const rings = hasRings(geometry)
  for (const [part, lines] of partsOf(geometry).entries()) {
    for (const [ring, line] of lines.entries()) {
      const count = rings && isClosed(line) ? line.length - 1 : line.length
      for (let vertex = 0; vertex < count; vertex++) yield { path: { part, ring, vertex }, position: line[vertex]! }
    }
  }
}

export function* segments(geometry: Editable): Generator<{ path: SegmentPath; from: Position; to: Position }> {
  for (const [part, lines] of partsOf(geometry).entries()) {
    for (const [ring, line] of lines.entries()) {
      for (let vertex = 0; vertex + 1 < line.length; vertex++) yield { path: { part, ring, vertex }, from: line[vertex]!, to: line[vertex + 1]! }
    }
  }
}

export function positionAt(geometry: Editable, path: Path): Position | undefined {
  const line = lineAt(geometry, path)
  return line?.[path.vertex]
}

/** Positions of the line or open ring that holds the path. */
function lineAt(geometry: Editable, path: Path): readonly Position[] | undefined {
  const line = partsOf(geometry)[path.part]?.[path.ring]
  return line && hasRings(geometry) ? opened(line) : line
}

/** The vertices beside a vertex: two in a ring and within a line, one at the end of a line, none for a point. */
export function beside(geometry: Editable, path: Path): Position[] {
  const line = lineAt(geometry, path)
  if (!line || line.length < 2) return []
  const { vertex } = path
  if (hasRings(geometry)) return [line[(vertex + line.length - 1) % line.length]!, line[(vertex + 1) % line.length]!]
  return [line[vertex - 1], line[vertex + 1]].filter((p) => p !== undefined)
}

function replaceLine(geometry: Editable, path: Pick<Path, 'part' | 'ring'>, line: readonly Position[]): Editable {
  const whole = hasRings(geometry) ? [...line, line[0]!] : line
  return withParts(
    geometry,
    partsOf(geometry).map((part, p) => (p === path.part ? part.map((old, r) => (r === path.ring ? whole : old)) : part)),
  )
}

/** Fewest vertices of a line: three of a ring, two of a line, one of a point. */
function fewest(geometry: Editable): number {
  return hasRings(geometry) ? 3 : geometry.type.endsWith('LineString') ? 2 : 1
}

/** A position without a height keeps the height that the vertex has. */
export function moveVertex(geometry: Editable, path: Path, to: Position): Outcome<Editable> {
  const line = lineAt(geometry, path)
  const old = line?.[path.vertex]
  if (!line || !old) return refuse('editing.not-there')
  return replaceLine(geometry, path, line.with(path.vertex, [...to, ...old.slice(to.length)]))
}

/** Puts a vertex into the segment; without a height it takes the one that the segment has there. */
export function insertVertex(geometry: Editable, segment: SegmentPath, position: Position): Outcome<Editable> {
  const line = lineAt(geometry, segment)
  const from = line?.[segment.vertex]
  const to = line?.[segment.vertex + 1] ?? (hasRings(geometry) ? line?.[0] : undefined)
  if (!line || !from || !to) return refuse('editing.not-there')
  if (samePlace(position, from) || samePlace(position, to)) return refuse('editing.same-place', position)
  return replaceLine(geometry, segment, line.toSpliced(segment.vertex + 1, 0, withHeight(position, from, to)))
}

function withHeight(position: Position, from: Position, to: Position): Position {
  if (position.length > 2 || from.length < 3 || to.length < 3) return position
  const before = Math.hypot(position[0]! - from[0]!, position[1]! - from[1]!)
  const after = Math.hypot(position[0]! - to[0]!, position[1]! - to[1]!)
  return [...position, from[2]! + ((to[2]! - from[2]!) * before) / (before + after)]
}

/** Makes a line longer at one of its ends. */
export function extendLine(geometry: Editable, end: Path, position: Position): Outcome<Editable> {
  const line = lineAt(geometry, end)
  if (!line?.[end.vertex] || !geometry.type.endsWith('LineString')) return refuse('editing.not-there')
  if (samePlace(line[end.vertex]!, position)) return refuse('editing.same-place', position)
  if (end.vertex === line.length - 1) return replaceLine(geometry, end, [...line, position])
  return end.vertex === 0 ? replaceLine(geometry, end, [position, ...line]) : refuse('editing.not-there')
}

export function removeVertex(geometry: Editable, path: Path): Outcome<Editable> {
  const line = lineAt(geometry, path)
  if (!line?.[path.vertex]) return refuse('editing.not-there')
  // The vertex of a MultiPoint is a part.
  if (geometry.type === 'MultiPoint' && geometry.coordinates.length > 1) return removePart(geometry, path.part)
  if (line.length <= fewest(geometry)) return refuse('editing.too-few-points', line[path.vertex])
  return replaceLine(geometry, path, line.toSpliced(path.vertex, 1))
}

export function removePart(geometry: Editable, part: number): Outcome<Editable> {
  const parts = partsOf(geometry)
  if (!parts[part]) return refuse('editing.not-there')
  if (parts.length === 1) return refuse('editing.last-part')
  return withParts(geometry, parts.toSpliced(part, 1))
}

/** Adds the parts of another geometry of the same kind. */
export function addPart(geometry: Editable, added: Editable): Outcome<Editable> {
  if (kind(geometry) !== kind(added)) return refuse('editing.not-editable')
  return withParts(geometry, [...partsOf(geometry), ...partsOf(added)])
}

function kind(geometry: Editable): string {
  return geometry.type.replace('Multi', '')
}

export function removeHole(geometry: Editable, part: number, ring: number): Outcome<Editable> {
  const rings = partsOf(geometry)[part]
  if (!hasRings(geometry) || !rings?.[ring]) return refuse('editing.not-there')
  if (ring === 0) return refuse('editing.not-a-hole')
  return withParts(geometry, partsOf(geometry).with(part, rings.toSpliced(ring, 1)))
}

/** Adds a hole, given closed or not. */
export function addHole(geometry: Editable, part: number, hole: readonly Position[]): Outcome<Editable> {
  const rings = partsOf(geometry)[part]
  if (!hasRings(geometry) || !rings) return refuse('editing.not-there')
  if (opened(hole).length < 3) return refuse('editing.too-few-points', hole[0])
  return withParts(geometry, partsOf(geometry).with(part, [...rings, closed(hole)]))
}

/** Does one thing after the other until one is refused. */
export function inTurn<T, S>(start: T, steps: Iterable<S>, apply: (state: T, step: S) => Outcome<T>): Outcome<T> {
  let state = start
  for (const step of steps) {
    const next = apply(state, step)
    if (isRefused(next)) return next
    state = next
  }
  return state
}
