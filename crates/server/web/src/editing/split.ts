/** What would become of a polygon that a line cuts. It is for showing: the server cuts by itself, in the collection's own plane. */
import type { Polygon, Position } from 'geojson'
import { area } from '../lib/geodesy'
import { assemble, lineEdges, loopsOf, ringEdges, simpleRings, type Edge, type Rings } from './faces'
import { hasRings, partsOf, placeKey, samePlace, type Editable } from './geometry'
import { locate, meet, orient } from './orient'
import { refuse, type Outcome, type Refused } from './outcome'
import { problems } from './validity'

/** Degrees, a tenth of a millimetre: a place on a segment is rounded, and so never quite upon it. */
const NEAR = 1e-9

export interface Piece {
  geometry: Polygon
  /** Square metres. */
  area: number
  /** The part of the geometry that it comes from. */
  part: number
}

/** Pieces of every part, the largest first; parts that the line does not divide are pieces too. */
export function split(geometry: Editable, line: readonly Position[]): Outcome<Piece[]> {
  if (!hasRings(geometry)) return refuse('editing.not-editable')
  const bad = problems(geometry)[0]
  if (bad) return refuse(bad.reason, bad.at)
  const wrong = wrongCut(line)
  if (wrong) return wrong
  const parts = partsOf(geometry)
  const pieces = parts.flatMap((rings, part) => cut(rings as Rings, line).map((coordinates) => piece(coordinates, part)))
  if (pieces.length === parts.length) return refuse('editing.cut-does-not-divide', line[0])
  return pieces.sort((a, b) => b.area - a.area)
}

function piece(coordinates: Rings, part: number): Piece {
  const geometry: Polygon = { type: 'Polygon', coordinates }
  return { geometry, area: area(geometry), part }
}

/** A cutting line may close at its first vertex, but not cross or touch itself elsewhere. */
export function wrongCut(line: readonly Position[]): Refused | undefined {
  const edges = lineEdges(line)
  if (edges.length === 0) return refuse('editing.too-few-points', line[0])
  const rings = samePlace(line[0]!, line.at(-1)!)
  for (const [i, p] of edges.entries()) {
    for (const [j, q] of edges.entries()) {
      if (j <= i) continue
      const met = meet(p.from, p.to, q.from, q.to)
      const follows = j === i + 1 || (rings && i === 0 && j === edges.length - 1)
      if (met && !(follows && met.kind === 'touch')) return refuse('editing.crosses-itself', met.at)
    }
  }
  return undefined
}

function cut(rings: Rings, line: readonly Position[]): Rings[] {
  const { rings: noded, line: cutter } = addNodes(rings, line)
  const border = ringEdges(noded)
  const known = new Set(border.flatMap(({ from, to }) => [edgeKey(from, to), edgeKey(to, from)]))
  const within: Edge[] = []
  for (const { from, to } of lineEdges(cutter)) {
    if (known.has(edgeKey(from, to)) || !inside(noded, [(from[0]! + to[0]!) / 2, (from[1]! + to[1]!) / 2])) continue
    known.add(edgeKey(from, to)).add(edgeKey(to, from))
    within.push({ from, to }, { from: to, to: from })
  }
  // Loose ends and bridges to holes are walked there and back, and so are in no ring.
  const loops = loopsOf([...border, ...within])
  const polygons = loops && assemble(simpleRings(loops))
  return polygons && polygons.length > 1 ? polygons : [rings]
}

function edgeKey(from: Position, to: Position): string {
  return `${placeKey(from)} ${placeKey(to)}`
}

function inside([shell, ...holes]: Rings, p: Position): boolean {
  return locate(shell!, p) > 0 && holes.every((hole) => locate(hole, p) < 0)
}

/** Both with vertices wherever they meet. Vertices of the polygon stay; those of the line give way to them. */
function addNodes(rings: Rings, line: readonly Position[]): { rings: Rings; line: Position[] } {
  const corners = rings.flatMap((ring) => ring.slice(1))
  const moved = line.map((p) => corners.find((c) => Math.hypot(c[0]! - p[0]!, c[1]! - p[1]!) < NEAR) ?? p)
  const through = withPoints(moved, (a, b) => corners.filter((c) => isNear(a, b, c)))
  // A hole may touch the shell where the shell has no vertex.
  const others = rings.length > 1 ? corners : []
  const nodes = (a: Position, b: Position) => [...through.filter((p) => isNear(a, b, p)), ...others.filter((c) => isNear(a, b, c) && orient(a, b, c) === 0)]
  const touched = rings.map((ring) => withPoints(ring, nodes))
  // A crossing is computed once, so that it is the same place for both.
  const found = new Map<string, Position[]>()
  const borders = touched.flatMap(lineEdges)
  const crossed = withPoints(through, (a, b) =>
    borders.flatMap(({ from, to }) => {
      if ([from, to].some((p) => samePlace(p, a) || samePlace(p, b))) return []
      const met = meet(a, b, from, to)
      if (met?.kind !== 'cross') return []
      found.set(edgeKey(from, to), [...(found.get(edgeKey(from, to)) ?? []), met.at])
      return [met.at]
    }),
  )
  return { rings: touched.map((ring) => withPoints(ring, (a, b) => found.get(edgeKey(a, b)) ?? [])), line: crossed }
}

/** The line with more points in its segments, in order along them. */
function withPoints(line: readonly Position[], pointsOf: (a: Position, b: Position) => readonly Position[]): Position[] {
  const out = line.slice(0, 1)
  for (const [i, b] of line.slice(1).entries()) {
    const a = line[i]!
    const along = (p: Position) => (p[0]! - a[0]!) * (b[0]! - a[0]!) + (p[1]! - a[1]!) * (b[1]! - a[1]!)
    for (const p of [...[...pointsOf(a, b)].sort((p, q) => along(p) - along(q)), b]) if (!samePlace(out.at(-1)!, p)) out.push(p)
  }
  return out
}

/** Upon the segment but for rounding, and not one of its ends. */
function isNear(a: Position, b: Position, p: Position): boolean {
  for (const axis of [0, 1]) if (p[axis]! < Math.min(a[axis]!, b[axis]!) - NEAR || p[axis]! > Math.max(a[axis]!, b[axis]!) + NEAR) return false
  if (samePlace(a, p) || samePlace(b, p)) return false
  const [dx, dy] = [b[0]! - a[0]!, b[1]! - a[1]!]
  const t = ((p[0]! - a[0]!) * dx + (p[1]! - a[1]!) * dy) / (dx * dx + dy * dy)
  return t > 0 && t < 1 && Math.hypot(p[0]! - a[0]! - t * dx, p[1]! - a[1]! - t * dy) < NEAR
}
