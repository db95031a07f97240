/** Hand-made and random geometry for the tests of editing. */
import type { Feature, Geometry, MultiPolygon, Polygon, Position } from 'geojson'
import { expect } from 'vitest'
import { isRefused, type Outcome } from '../../src/editing/outcome'
import type { WorkingSet } from '../../src/editing/shared'

/** Mulberry32: numbers in [0, 1), the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What was done; a refusal fails the test. */
export function done<T>(outcome: Outcome<T>): T {
  if (isRefused(outcome)) expect.fail(`refused: ${outcome.refused}`)
  return outcome as T
}

export function reason(outcome: unknown): string | undefined {
  return isRefused(outcome) ? outcome.refused : undefined
}

export function feature(geometry: Geometry, properties: Record<string, unknown> = {}): Feature {
  return { type: 'Feature', geometry, properties }
}

/** Closes each ring. */
export function polygon(...rings: Position[][]): Polygon {
  return { type: 'Polygon', coordinates: rings.map((ring) => [...ring, ring[0]!]) }
}

export function box(w: number, s: number, e: number, n: number): Position[] {
  return [[w, s], [e, s], [e, n], [w, n]]
}

/** A polygon or parts on whole numbers from 0 to 6, where everything touches, overlaps and repeats; one in five or so is valid. */
export function awkward(next: () => number): Polygon | MultiPolygon {
  const whole = (below: number) => Math.floor(next() * below)
  const ring = (): Position[] => {
    if (next() >= 0.4) return Array.from({ length: 3 + whole(3) }, () => [whole(7), whole(7)])
    const [x, y] = [whole(5), whole(5)]
    return box(x, y, x + 1 + whole(6 - x), y + 1 + whole(6 - y))
  }
  const shell = () => (next() < 0.6 ? box(0, 0, 6, 6) : next() < 0.5 ? [[0, 0], [6, 0], [6, 6], [3, 3], [0, 6]] : ring())
  const large = () => polygon(shell(), ...Array.from({ length: whole(4) }, ring))
  if (next() < 0.5) return large()
  const parts = Array.from({ length: 1 + whole(3) }, () => (next() < 0.5 ? polygon(ring(), ...(next() < 0.3 ? [ring()] : [])) : large()))
  return { type: 'MultiPolygon', coordinates: parts.map((part) => part.coordinates) }
}

/** Side of a cell of the grid in degrees: about 7 by 11 metres. */
export const CELL = 1e-4

/** `side` by `side` quadrilaterals near a real town that share their jittered corners; keys are `column/row`. */
export function grid(side: number, next: () => number): WorkingSet {
  const corner = Array.from({ length: side + 1 }, (_, x) =>
    Array.from({ length: side + 1 }, (_, y): Position => [24.7 + (x + (next() - 0.5) * 0.4) * CELL, 48.9 + (y + (next() - 0.5) * 0.4) * CELL]),
  )
  const set = new Map<string, Feature>()
  for (let x = 0; x < side; x++) {
    for (let y = 0; y < side; y++) {
      const ring = [corner[x]![y]!, corner[x + 1]![y]!, corner[x + 1]![y + 1]!, corner[x]![y + 1]!]
      // Fresh arrays, as JSON gives them: equal places are never the same object.
      set.set(`${x}/${y}`, feature(structuredClone(polygon(ring)), { x, y }))
    }
  }
  return set
}
