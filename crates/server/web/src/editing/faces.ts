/** From directed edges to polygons: what splitting and merging have in common. Each edge has the inside on its left. */
import type { Position } from 'geojson'
import { placeKey, samePlace } from './geometry'
import { locate, orient, signedArea } from './orient'

export interface Edge {
  from: Position
  to: Position
}
/** Rings of one polygon, closed: the shell turning left, then holes turning right. */
export type Rings = Position[][]

/** Edges of the polygon's rings, turned so that the inside is on the left: rings come in either direction. */
export function ringEdges(rings: readonly (readonly Position[])[]): Edge[] {
  return rings.flatMap((ring, i) => {
    const left = signedArea(ring) > 0
    const line = left === (i === 0) ? ring : ring.toReversed()
    return lineEdges(line)
  })
}

export function lineEdges(line: readonly Position[]): Edge[] {
  return line.slice(1).flatMap((to, i) => (samePlace(line[i]!, to) ? [] : [{ from: line[i]!, to }]))
}

/** Walks round the inside of every face; nothing when the edges do not close. */
export function loopsOf<E extends Edge>(edges: readonly E[]): E[][] | undefined {
  const leaving = new Map<string, E[]>()
  for (const edge of edges) {
    const key = placeKey(edge.from)
    leaving.set(key, [...(leaving.get(key) ?? []), edge])
  }
  const used = new Set<E>()
  const loops: E[][] = []
  for (const first of edges) {
    if (used.has(first)) continue
    const loop: E[] = []
    let edge = first
    do {
      if (used.has(edge)) return undefined
      used.add(edge)
      loop.push(edge)
      const next = nextEdge(edge, leaving.get(placeKey(edge.to)) ?? [])
      if (!next) return undefined
      edge = next
    } while (edge !== first)
    loops.push(loop)
  }
  return loops
}

/** The first edge clockwise from the one that was come by: it keeps the inside on the left. */
function nextEdge<E extends Edge>({ from, to }: E, leaving: readonly E[]): E | undefined {
  let below: E | undefined
  let last: E | undefined
  for (const edge of leaving) {
    if (!last || turn(to, last.to, edge.to) < 0) last = edge
    if (turn(to, edge.to, from) < 0 && (!below || turn(to, below.to, edge.to) < 0)) below = edge
  }
  return below ?? last
}

/** Order of the directions from the centre to p and q, against the clock from the east; exact. */
function turn(centre: Position, p: Position, q: Position): number {
  const half = (r: Position) => (r[1]! > centre[1]! || (r[1] === centre[1] && r[0]! > centre[0]!) ? 0 : 1)
  return half(p) - half(q) || -orient(centre, p, q)
}

/** Rings that visit no place twice: where a loop touches itself it falls into several. */
export function simpleRings(loops: readonly (readonly Edge[])[]): Position[][] {
  const rings: Position[][] = []
  for (const loop of loops) {
    const open: Position[] = []
    const places = new Map<string, number>()
    for (const { from } of loop) {
      const before = places.get(placeKey(from))
      if (before !== undefined) {
        const ring = open.splice(before)
        for (const p of ring) places.delete(placeKey(p))
        rings.push([...ring, ring[0]!])
      }
      places.set(placeKey(from), open.length)
      open.push(from)
    }
    rings.push([...open, open[0]!])
  }
  // There and back again encloses nothing.
  return rings.filter((ring) => ring.length > 3)
}

/** Gives every hole to the smallest shell that it lies in; nothing when there is none. */
export function assemble(rings: readonly Position[][]): Rings[] | undefined {
  const polygons = rings
    .filter((ring) => signedArea(ring) > 0)
    .sort((a, b) => signedArea(a) - signedArea(b))
    .map((shell): Rings => [shell])
  for (const hole of rings) {
    if (signedArea(hole) > 0) continue
    const home = polygons.find(([shell]) => liesIn(hole, shell!))
    if (!home) return undefined
    home.push(hole)
  }
  return polygons
}

/** For rings that do not cross: the first vertex that is not upon the other ring decides. With all of them upon it, it is another face's. */
function liesIn(ring: readonly Position[], shell: readonly Position[]): boolean {
  for (const p of ring) {
    const where = locate(shell, p)
    if (where !== 0) return where > 0
  }
  return false
}
