import type { MultiPolygon, Polygon, Position } from 'geojson'
import { describe, expect, test } from 'vitest'
import { area } from '../../src/lib/geodesy'
import { partsOf, placeKey, vertices, type Editable } from '../../src/editing/geometry'
import { merge } from '../../src/editing/merge'
import { signedArea } from '../../src/editing/orient'
import { split, type Piece } from '../../src/editing/split'
import { problems } from '../../src/editing/validity'
import { awkward, box, CELL, done, grid, polygon, random, reason } from './cases'

const square = polygon(box(0, 0, 10, 10))
const cornersOf = (...geometries: Editable[]) => new Set(geometries.flatMap((g) => [...vertices(g)].map((v) => placeKey(v.position))))
const shell = (piece: Piece | undefined) => piece!.geometry.coordinates[0]!

const total = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0)
/** Area in square degrees. */
const flat = (g: Polygon | MultiPolygon) => total(partsOf(g).flatMap((rings) => rings.map((ring, i) => Math.abs(signedArea(ring)) * (i === 0 ? 1 : -1))))

/** What holds for every split: valid pieces that are the whole together, with its corners and no others but upon the cut. */
function check(whole: Polygon | MultiPolygon, pieces: readonly Piece[]): void {
  // An edge is straight in degrees for a cut and in the equal-area plane for an area, which differs a little.
  expect(Math.abs(total(pieces.map((p) => p.area)) / area(whole) - 1)).toBeLessThan(1e-6)
  expect(Math.abs(total(pieces.map((p) => flat(p.geometry))) / flat(whole) - 1)).toBeLessThan(1e-10)
  for (const piece of pieces) expect(problems(piece.geometry)).toEqual([])
  const joined = cornersOf(...pieces.map((piece) => piece.geometry))
  for (const corner of cornersOf(whole)) expect(joined).toContain(corner)
}

describe('split', () => {
  test('straight across', () => {
    const pieces = done(split(square, [[4, -1], [4, 11]]))
    check(square, pieces)
    expect(pieces.map((p) => p.geometry.coordinates)).toEqual([[[[4, 0], [10, 0], [10, 10], [4, 10], [4, 0]]], [[[0, 0], [4, 0], [4, 10], [0, 10], [0, 0]]]])
  })
  test('the ring may go either way', () => {
    const pieces = done(split(polygon([...box(0, 0, 10, 10)].reverse()), [[4, -1], [4, 11]]))
    check(square, pieces)
    expect(pieces).toHaveLength(2)
  })
  test('from corner to corner, and from border to border, without reaching beyond', () => {
    expect(done(split(square, [[0, 0], [10, 10]])).map((p) => shell(p).length)).toEqual([4, 4])
    expect(done(split(square, [[5, 0], [5, 5], [10, 5]])).map((p) => shell(p).length)).toEqual([7, 5])
  })
  test('a line that ends upon a border only as well as doubles can', () => {
    const slope = polygon([[24.7, 48.9], [24.7031, 48.9007], [24.7024, 48.9033], [24.6993, 48.9026]])
    for (let i = 1; i < 200; i++) {
      const on = (a: Position, b: Position, t: number): Position => [a[0]! + (b[0]! - a[0]!) * t, a[1]! + (b[1]! - a[1]!) * t]
      const [a, b, c, d] = slope.coordinates[0] as [Position, Position, Position, Position]
      const pieces = done(split(slope, [on(a, b, i / 200), on(c, d, 1 - i / 210)]))
      expect(pieces).toHaveLength(2)
      check(slope, pieces)
    }
  })
  test('nearly through a corner is through the corner', () => {
    for (const d of [1e-12, -1e-12, 0]) {
      expect(done(split(square, [[d, 0], [10, 10 - d]])).map((p) => shell(p).length)).toEqual([4, 4])
      expect(done(split(square, [[-1, -1 + d], [11, 11]])).map((p) => shell(p).length)).toEqual([4, 4])
    }
  })
  test('a cut may begin along a border', () => {
    const next = random(12)
    for (let i = 0; i < 300; i++) {
      const [a, b, c, d] = box(24.7, 48.9, 24.701, 48.901).map((p) => p.map((v) => v + next() * 3e-4)) as [Position, Position, Position, Position]
      const whole = polygon([a, b, c, d])
      const pieces = done(split(whole, [a, b, [(c[0]! + d[0]!) / 2, (c[1]! + d[1]!) / 2]]))
      check(whole, pieces)
      expect(pieces).toHaveLength(2)
    }
  })
  test('a line with turns that crosses often makes many pieces', () => {
    const comb = polygon([[0, 0], [10, 0], [10, 10], [8, 10], [8, 2], [6, 2], [6, 10], [4, 10], [4, 2], [2, 2], [2, 10], [0, 10]])
    const pieces = done(split(comb, [[-1, 5], [11, 5]]))
    check(comb, pieces)
    expect(pieces.map((p) => shell(p).length)).toEqual([13, 5, 5, 5])
    expect(done(split(square, [[2, -1], [2, 11], [6, 11], [6, -1]]))).toHaveLength(3)
  })
  test('through a hole, round a hole, and a closed cut', () => {
    const holed = polygon(box(0, 0, 10, 10), box(4, 4, 6, 6))
    const through = done(split(holed, [[5, -1], [5, 11]]))
    check(holed, through)
    expect(through.map((p) => p.geometry.coordinates.length)).toEqual([1, 1])
    const beside = done(split(holed, [[2, -1], [2, 11]]))
    check(holed, beside)
    expect(beside.map((p) => p.geometry.coordinates.length)).toEqual([2, 1])
    const island = done(split(square, [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]))
    check(square, island)
    expect(island.map((p) => p.geometry.coordinates.length)).toEqual([2, 1])
    // Round the hole: it is the inner piece's, though it lies in the outer ring too.
    const round = done(split(holed, [[1, 1], [9, 1], [9, 9], [1, 9], [1, 1]]))
    check(holed, round)
    expect(round.map((p) => p.geometry.coordinates.map((ring) => ring.length))).toEqual([[5, 5], [5, 5]])
    // From the shell to the hole and from it to the shell elsewhere.
    const ring = done(split(holed, [[5, 0], [5, 4], [6, 6], [10, 10]]))
    check(holed, ring)
    expect(ring).toHaveLength(2)
  })
  test('loose ends are no cut', () => {
    expect(done(split(square, [[-1, 5], [5, 5], [5, -1]]))).toHaveLength(2)
    expect(done(split(square, [[4, -1], [4, 11], [6, 11], [6, 5]]))).toHaveLength(2)
    expect(cornersOf(...done(split(square, [[4, -1], [4, 11], [6, 11], [6, 5]])).map((p) => p.geometry))).not.toContain('6 5')
  })
  test('only the part that is cut falls into pieces', () => {
    const two: MultiPolygon = { type: 'MultiPolygon', coordinates: [square.coordinates, polygon(box(20, 0, 30, 10)).coordinates] }
    const pieces = done(split(two, [[25, -1], [25, 11]]))
    check(two, pieces)
    expect(pieces.map((p) => p.part)).toEqual([0, 1, 1])
    expect(pieces[0]!.geometry.coordinates).toBe(square.coordinates)
  })
  test('what cannot be', () => {
    expect(reason(split(square, [[20, 0], [20, 10]]))).toBe('editing.cut-does-not-divide')
    expect(reason(split(square, [[-1, 5], [5, 5]]))).toBe('editing.cut-does-not-divide')
    expect(reason(split(square, [[0, 0], [10, 0]]))).toBe('editing.cut-does-not-divide')
    expect(reason(split(polygon(box(0, 0, 10, 10), box(4, 4, 6, 6)), [[-1, 5], [5, 5]]))).toBe('editing.cut-does-not-divide')
    expect(split(square, [[2, -1], [2, 11], [4, 5], [-1, 5]])).toEqual({ refused: 'editing.crosses-itself', at: [2, 5] })
    expect(reason(split(square, [[2, 2], [2, 2]]))).toBe('editing.too-few-points')
    expect(reason(split({ type: 'LineString', coordinates: [[0, 0], [1, 1]] }, [[0, 1], [1, 0]]))).toBe('editing.not-editable')
    expect(reason(split(polygon([[0, 0], [10, 10], [10, 0], [0, 10]]), [[5, -1], [5, 11]]))).toBe('editing.crosses-itself')
  })
})

describe('merge', () => {
  test('two squares, whichever way they go', () => {
    const merged = { type: 'Polygon', coordinates: [[[0, 0], [10, 0], [20, 0], [20, 10], [10, 10], [0, 10], [0, 0]]] }
    expect(done(merge([square, polygon(box(10, 0, 20, 10))]))).toEqual(merged)
    expect(done(merge([polygon([...box(0, 0, 10, 10)].reverse()), polygon(box(10, 0, 20, 10))])).coordinates.flat(1)).toHaveLength(7)
    expect(done(merge([square]))).toEqual(square)
  })
  test('round a yard, and filling it', () => {
    const u = polygon([[0, 0], [10, 0], [10, 10], [6, 10], [6, 4], [4, 4], [4, 10], [0, 10]])
    const lid = polygon([[0, 10], [4, 10], [6, 10], [10, 10], [10, 14], [0, 14]])
    const yard = done(merge([u, lid]))
    expect(yard.coordinates).toHaveLength(2)
    // The lid has a side over the yard, which is now the hole's.
    expect(cornersOf(yard)).toEqual(cornersOf(u, lid))
    const full = done(merge([u, lid, polygon(box(4, 4, 6, 10))]))
    expect(full).toMatchObject({ type: 'Polygon', coordinates: [[[0, 0], [10, 0], [10, 10], [10, 14], [0, 14], [0, 10], [0, 0]]] })
  })
  test('a hole that touches the new shell at a corner stays a ring of its own', () => {
    const a = polygon([[0, 0], [10, 0], [10, 5], [5, 5], [0, 5]], [[5, 5], [4, 3], [6, 3]])
    expect(done(merge([a, polygon(box(0, -5, 10, 0))])).coordinates).toHaveLength(2)
  })
  test('what cannot be', () => {
    expect(reason(merge([square, polygon(box(20, 0, 30, 10))]))).toBe('editing.not-contiguous')
    expect(reason(merge([square, polygon(box(10, 10, 20, 20))]))).toBe('editing.not-contiguous')
    expect(reason(merge([square, square]))).toBe('editing.polygons-overlap')
    expect(reason(merge([square, polygon(box(5, 5, 15, 15))]))).toBe('editing.polygons-overlap')
    expect(reason(merge([square, polygon(box(4, 4, 6, 6))]))).toBe('editing.polygons-overlap')
    expect(reason(merge([square, { type: 'Point', coordinates: [1, 1] }]))).toBe('editing.not-editable')
    expect(reason(merge([square, polygon([[0, 0], [10, 10], [10, 0], [0, 10]])]))).toBe('editing.crosses-itself')
  })
  test('one border drawn in two ways is not one border', () => {
    // One edge is the same for both, the other bends in the east only: not at all, away from the west, and into it.
    const west = polygon([[0, 0], [10, 0], [10, 4], [10, 10], [0, 10]])
    const east = (x: number) => polygon([[10, 0], [20, 0], [20, 10], [10, 10], [x, 7], [10, 4]])
    for (const x of [10, 10 + 1e-9, 10 - 1e-9]) expect(reason(merge([west, east(x)]))).toBe('editing.borders-differ')
    expect(done(merge([west, east(11)])).coordinates).toHaveLength(2)
    expect(reason(merge([square, polygon(box(10, 2, 20, 8))]))).toBe('editing.borders-differ')
  })
})

test('500 random cuts: the pieces are the whole, and merged they have its corners and those of the cut', () => {
  const next = random(5)
  const counts = { cut: 0, many: 0, refused: 0 }
  for (let i = 0; i < 500; i++) {
    const count = 5 + Math.floor(next() * 20)
    const round = (n: number, size: number, least: number): Position[] =>
      Array.from({ length: n }, (_, k) => [24.7 + Math.cos((k / n) * 2 * Math.PI) * size * (least + next() * (1 - least)), 48.9 + Math.sin((k / n) * 2 * Math.PI) * size * (least + next() * (1 - least))])
    const whole = next() < 0.5 ? polygon(round(count, 10 * CELL, 0.4)) : polygon(round(count, 10 * CELL, 0.5), round(6, 2 * CELL, 0.5))
    const corners = [...cornersOf(whole)].map((key) => key.split(' ').map(Number))
    // Ends outside, at a corner, or anywhere.
    const end = (): Position => (next() < 0.3 ? corners[Math.floor(next() * corners.length)]! : [24.7 + (next() - 0.5) * 24 * CELL, 48.9 + (next() - 0.5) * 24 * CELL])
    const line = [end(), ...(next() < 0.4 ? [end()] : []), end()]
    const outcome = split(whole, line)
    if (reason(outcome)) {
      counts.refused++
      expect(['editing.cut-does-not-divide', 'editing.crosses-itself', 'editing.too-few-points']).toContain(reason(outcome))
      continue
    }
    const pieces = done(outcome)
    counts[pieces.length > 2 ? 'many' : 'cut']++
    check(whole, pieces)
    const merged = done(merge(pieces.map((p) => p.geometry)))
    expect(merged.type).toBe('Polygon')
    expect(Math.abs(flat(merged) / flat(whole) - 1)).toBeLessThan(1e-10)
    const [before, after] = [cornersOf(whole), cornersOf(merged)]
    for (const corner of before) expect(after).toContain(corner)
    const nodes = cornersOf(...pieces.map((p) => p.geometry))
    for (const corner of after) expect(nodes).toContain(corner)
    expect(merged.coordinates).toHaveLength(whole.coordinates.length)
  }
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(25)
})

test('awkward polygons, whose holes touch and whose corners the cut goes through', () => {
  const next = random(31)
  let cuts = 0
  for (let i = 0; i < 2_500; i++) {
    // A power of two keeps corners exactly upon sides.
    const small = (p: unknown): unknown => (Array.isArray(p) ? p.map(small) : (p as number) / 4096)
    const { type, coordinates } = awkward(next)
    const whole = { type, coordinates: small(coordinates) } as Polygon | MultiPolygon
    const line = Array.from({ length: 2 + Math.floor(next() * 3) }, () => [Math.floor(next() * 9) - 1, Math.floor(next() * 9) - 1]).map((p) => small(p) as Position)
    const outcome = problems(whole).length > 0 ? [] : split(whole, line)
    if (!Array.isArray(outcome) || outcome.length === 0) continue
    cuts++
    check(whole, outcome)
    for (const [part, rings] of partsOf(whole).entries()) {
      const merged = done(merge(outcome.filter((piece) => piece.part === part).map((piece) => piece.geometry)))
      expect(flat(merged)).toBeCloseTo(flat({ type: 'Polygon', coordinates: rings as Position[][] }), 15)
    }
  }
  expect(cuts).toBeGreaterThan(100)
})

test('a whole grid merges into one, in any order', () => {
  const next = random(6)
  const parcels = [...grid(8, next).values()].map((f) => f.geometry as Polygon)
  const whole = done(merge(parcels.toSorted(() => next() - 0.5)))
  expect(whole.coordinates.map((ring) => ring.length)).toEqual([33])
  expect(area(whole)).toBeCloseTo(parcels.reduce((sum, p) => sum + area(p), 0), 6)
})
