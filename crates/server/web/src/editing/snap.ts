/** What a pointer means: a vertex near it, else a segment near it, else a right angle, else the place itself. */
import type { Feature, Position } from 'geojson'
import { isEditable, samePlace, segments, vertices, type Path } from './geometry'

/** Pixels from the upper left corner of the map, y downwards. */
export type Pixel = [number, number]
export interface Projection {
  project(position: Position): Pixel
  unproject(pixel: Pixel): Position
}

/** Pixels within which a mouse and a finger catch. */
export const RADIUS = { mouse: 10, touch: 22 } as const

/** Side of a cell in pixels: about the reach of a finger, so that a question looks at nine cells or so. */
const CELL = 32
/** Pixels round the screen that are indexed too. */
const MARGIN = 64

interface Entry {
  /** Order of the features and of their paths: the first of two equally near wins. */
  order: number
  feature: string
  path: Path
  from: Position
  a: Pixel
}
interface Segment extends Entry {
  to: Position
  b: Pixel
}

/** What is on the screen, by cell; good for one view of the map. */
export interface SnapIndex {
  width: number
  height: number
  vertices: Map<number, Entry[]>
  segments: Map<number, Segment[]>
}

/** A node that is being moved: nothing snaps to it, nor to the segments that hang on it. */
export interface Moving {
  node: Position
  /** When only this feature moves, the same node of others may be snapped to. */
  only?: string
}

export type Snap =
  | { kind: 'vertex' | 'segment'; position: Position; feature: string; path: Path; pixels: number }
  | { kind: 'straight' | 'square'; position: Position; pixels: number }
  | { kind: 'free'; position: Position }

/** `size` is that of the map in pixels. What is being drawn is given as one more feature, so that it can be closed at its first vertex. */
export function snapIndex(features: Iterable<[string, Feature]>, { project }: Projection, [width, height]: Pixel): SnapIndex {
  const index: SnapIndex = { width, height, vertices: new Map(), segments: new Map() }
  let order = 0
  for (const [feature, { geometry }] of features) {
    if (!isEditable(geometry)) continue
    const pixels = new Map<Position, Pixel>()
    for (const { path, position } of vertices(geometry)) {
      const a = project(position)
      pixels.set(position, a)
      if (onScreen(index, a)) put(index.vertices, cellOf(index, a), { order: order++, feature, path, from: position, a })
    }
    for (const { path, from, to } of segments(geometry)) {
      const segment: Segment = { order: order++, feature, path, from, to, a: pixels.get(from) ?? project(from), b: pixels.get(to) ?? project(to) }
      for (const cell of cellsOf(index, segment.a, segment.b)) put(index.segments, cell, segment)
    }
  }
  return index
}

/** The vertex or segment within the radius that is nearest; a vertex goes before every segment. */
export function snapTo(index: SnapIndex, pixel: Pixel, radius: number, moving?: Moving): Snap | undefined {
  let vertex: Entry | undefined
  let segment: Segment | undefined
  let [vertexBest, segmentBest] = [radius, radius]
  const nearer = (distance: number, best: number, entry: Entry, known: Entry | undefined) =>
    distance < best || (distance === best && (!known || entry.order < known.order))
  for (const cell of cellsWithin(index, pixel, radius)) {
    for (const entry of index.vertices.get(cell) ?? []) {
      const distance = Math.hypot(entry.a[0] - pixel[0], entry.a[1] - pixel[1])
      if (!nearer(distance, vertexBest, entry, vertex) || moves(moving, entry, entry.from)) continue
      ;[vertex, vertexBest] = [entry, distance]
    }
    if (vertex) continue
    for (const entry of index.segments.get(cell) ?? []) {
      const distance = toSegment(pixel, entry).distance
      if (!nearer(distance, segmentBest, entry, segment) || moves(moving, entry, entry.from) || moves(moving, entry, entry.to)) continue
      ;[segment, segmentBest] = [entry, distance]
    }
  }
  if (vertex) return { kind: 'vertex', position: vertex.from, feature: vertex.feature, path: vertex.path, pixels: vertexBest }
  if (!segment) return undefined
  const { from, to, feature, path } = segment
  const { t } = toSegment(pixel, segment)
  // Beyond an end there is the end itself, bit for bit.
  const position = t === 0 ? from : t === 1 ? to : [from[0]! + (to[0]! - from[0]!) * t, from[1]! + (to[1]! - from[1]!) * t]
  return { kind: 'segment', position, feature, path, pixels: segmentBest }
}

export interface SnapOptions {
  radius: number
  moving?: Moving
  /** Positions drawn so far: the next one may go on straight or at a right angle. */
  drawn?: readonly Position[]
}

export function snap(index: SnapIndex, projection: Projection, pixel: Pixel, { radius, moving, drawn }: SnapOptions): Snap {
  const position = projection.unproject(pixel)
  return snapTo(index, pixel, radius, moving) ?? (drawn && snapAngle(drawn, projection, pixel, radius)) ?? { kind: 'free', position }
}

function moves(moving: Moving | undefined, entry: Entry, at: Position): boolean {
  return !!moving && samePlace(moving.node, at) && (moving.only === undefined || moving.only === entry.feature)
}

function toSegment([x, y]: Pixel, { a, b }: Pick<Segment, 'a' | 'b'>): { t: number; distance: number } {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
  const size = dx * dx + dy * dy
  const t = size === 0 ? 0 : Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / size))
  return { t, distance: Math.hypot(a[0] + t * dx - x, a[1] + t * dy - y) }
}

/** Square of the first eccentricity of WGS 84. */
const E2 = 0.006_694_379_990_14

/**
 * The place at which the side from the last drawn position goes on as the one before, or turns by 90°. The angle is
 * measured on the ground, whichever way the map is turned or tilted.
 */
export function snapAngle(drawn: readonly Position[], { project, unproject }: Projection, pixel: Pixel, radius: number): Snap | undefined {
  const [before, last] = [drawn.at(-2), drawn.at(-1)]
  if (!before || !last || samePlace(before, last)) return undefined
  const s = Math.sin((last[1]! * Math.PI) / 180)
  // A degree of longitude in degrees of latitude: cos φ times the ratio of the radii of curvature.
  const k = (Math.sqrt(1 - s * s) * (1 - E2 * s * s)) / (1 - E2)
  const [dx, dy] = [(last[0]! - before[0]!) * k, last[1]! - before[1]!]
  const pointer = unproject(pixel)
  const [px, py] = [(pointer[0]! - last[0]!) * k, pointer[1]! - last[1]!]
  const found = (['straight', 'square'] as const).flatMap((kind) => {
    const [ux, uy] = kind === 'straight' ? [dx, dy] : [-dy, dx]
    const t = (px * ux + py * uy) / (ux * ux + uy * uy)
    // Back along the side that was drawn is no way on.
    if (t === 0 || (kind === 'straight' && t < 0)) return []
    const position = [last[0]! + (t * ux) / k, last[1]! + t * uy]
    const [x, y] = project(position)
    const pixels = Math.hypot(x - pixel[0], y - pixel[1])
    return pixels <= radius ? [{ kind, position, pixels }] : []
  })
  return found.reduce<(typeof found)[0] | undefined>((best, next) => (best && best.pixels <= next.pixels ? best : next), undefined)
}

function put<T>(cells: Map<number, T[]>, cell: number, value: T): void {
  const list = cells.get(cell)
  if (list) list.push(value)
  else cells.set(cell, [value])
}

function onScreen({ width, height }: SnapIndex, [x, y]: Pixel): boolean {
  return x >= -MARGIN && y >= -MARGIN && x <= width + MARGIN && y <= height + MARGIN
}

const step = (value: number): number => Math.floor((value + MARGIN) / CELL)

function columns(index: SnapIndex): number {
  return step(index.width + MARGIN) + 1
}

function cellOf(index: SnapIndex, [x, y]: Pixel): number {
  return step(y) * columns(index) + step(x)
}

function* cellsWithin(index: SnapIndex, [x, y]: Pixel, radius: number): Generator<number> {
  const inRange = (value: number, size: number) => Math.max(-MARGIN, Math.min(size + MARGIN, value))
  const [w, e] = [step(inRange(x - radius, index.width)), step(inRange(x + radius, index.width))]
  const [n, s] = [step(inRange(y - radius, index.height)), step(inRange(y + radius, index.height))]
  for (let row = n; row <= s; row++) for (let column = w; column <= e; column++) yield row * columns(index) + column
}

/** Cells that the segment runs through, row by row; what is off the screen is cut first, for it can be very long. */
function* cellsOf(index: SnapIndex, a: Pixel, b: Pixel): Generator<number> {
  const clipped = clip(a, b, [-MARGIN, -MARGIN, index.width + MARGIN, index.height + MARGIN])
  if (!clipped) return
  const [p, q] = clipped[0][1] <= clipped[1][1] ? clipped : [clipped[1], clipped[0]]
  const xAt = (y: number) => (q[1] === p[1] ? p[0] : p[0] + ((q[0] - p[0]) * (y - p[1])) / (q[1] - p[1]))
  for (let row = step(p[1]); row <= step(q[1]); row++) {
    const top = Math.max(p[1], row * CELL - MARGIN)
    const bottom = Math.min(q[1], (row + 1) * CELL - MARGIN)
    const [x1, x2] = q[1] === p[1] ? [p[0], q[0]] : [xAt(top), xAt(bottom)]
    for (let column = step(Math.min(x1, x2)); column <= step(Math.max(x1, x2)); column++) yield row * columns(index) + column
  }
}

/** The part of the segment within the box (Liang and Barsky 1984). */
function clip(a: Pixel, b: Pixel, [w, n, e, s]: [number, number, number, number]): [Pixel, Pixel] | undefined {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
  let [from, to] = [0, 1]
  for (const [d, room] of [[-dx, a[0] - w], [dx, e - a[0]], [-dy, a[1] - n], [dy, s - a[1]]] as Pixel[]) {
    if (d === 0 && room < 0) return undefined
    if (d < 0) from = Math.max(from, room / d)
    if (d > 0) to = Math.min(to, room / d)
  }
  if (!(from <= to)) return undefined
  return [
    [a[0] + from * dx, a[1] + from * dy],
    [a[0] + to * dx, a[1] + to * dy],
  ]
}
