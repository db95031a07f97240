import type { MultiPolygon, Position } from 'geojson'
import { describe, expect, test } from 'vitest'
import type { Editable } from '../../src/editing/geometry'
import { isValid, MAX_PROBLEMS, problems } from '../../src/editing/validity'
import { awkward, box, grid, polygon, random } from './cases'

const reasons = (g: Editable) => [...new Set(problems(g).map((p) => p.reason))]
const multi = (...parts: Position[][][]): MultiPolygon => ({ type: 'MultiPolygon', coordinates: parts.map((rings) => polygon(...rings).coordinates) })
const square = box(0, 0, 10, 10)

describe('one ring', () => {
  test('a square either way round, with vertices in a line and repeated', () => {
    expect(problems(polygon(square))).toEqual([])
    expect(problems(polygon([...square].reverse()))).toEqual([])
    expect(problems(polygon([[0, 0], [5, 0], [5, 0], [10, 0], [10, 10], [0, 10]]))).toEqual([])
  })
  test('a bow tie crosses itself, at the crossing', () => {
    expect(problems(polygon([[0, 0], [10, 10], [10, 0], [0, 10]]))).toEqual([{ reason: 'editing.crosses-itself', at: [5, 5] }])
  })
  test('a spike runs back upon itself', () => {
    expect(reasons(polygon([[0, 0], [10, 0], [10, 10], [10, 20], [10, 10], [0, 10]]))).toContain('editing.crosses-itself')
    expect(reasons(polygon([[0, 0], [15, 0], [10, 0], [10, 10]]))).toContain('editing.crosses-itself')
  })
  test('a ring that comes back to a vertex or a side touches itself', () => {
    expect(problems(polygon([[0, 0], [10, 0], [5, 5], [10, 10], [0, 10], [5, 5]]))).toEqual([{ reason: 'editing.touches-itself', at: [5, 5] }])
    expect(problems(polygon([[0, 0], [10, 0], [10, 10], [5, 0], [0, 10]]))).toEqual([{ reason: 'editing.touches-itself', at: [5, 0] }])
    // One unit in the last place above the side it is well.
    expect(problems(polygon([[0, 0], [10, 0], [10, 10], [5, 5e-324], [0, 10]]))).toEqual([])
  })
  test('too few points, no area, not closed', () => {
    expect(reasons(polygon([[0, 0], [1, 1], [0, 0]]))).toEqual(['editing.too-few-points'])
    expect(reasons(polygon([[0, 0], [1, 1], [2, 2], [3, 3]]))).toEqual(['editing.zero-area'])
    expect(reasons({ type: 'Polygon', coordinates: [square] })).toEqual(['editing.ring-not-closed'])
    expect(reasons({ type: 'LineString', coordinates: [[1, 1], [1, 1]] })).toEqual(['editing.too-few-points'])
    expect(isValid({ type: 'LineString', coordinates: [[0, 0], [2, 2], [0, 2], [2, 0]] })).toBe(true)
    expect(isValid({ type: 'Point', coordinates: [1, 1] })).toBe(true)
  })
  test('of many problems only the first are named', () => {
    const comb: Position[] = Array.from({ length: 200 }, (_, i) => [i, i % 2 ? 10 : 0])
    expect(problems(polygon([...comb, [200, 5], [-1, 5]]))).toHaveLength(MAX_PROBLEMS)
  })
})

describe('holes', () => {
  const holes = (...rings: Position[][]) => reasons(polygon(square, ...rings))
  test('within, and touching at one point', () => {
    expect(holes(box(2, 2, 4, 4), box(6, 6, 8, 8))).toEqual([])
    expect(holes([[0, 5], [4, 4], [4, 6]])).toEqual([])
    expect(holes([[0, 0], [4, 2], [2, 4]])).toEqual([])
    expect(holes(box(2, 2, 4, 4), [[4, 4], [6, 5], [5, 6]])).toEqual([])
  })
  test('crossing the shell, along it, outside of it', () => {
    expect(holes(box(8, 8, 12, 9))).toEqual(['editing.hole-crosses-shell'])
    expect(holes(box(0, 4, 2, 6))).toEqual(['editing.hole-crosses-shell'])
    expect(holes(box(20, 20, 22, 22))).toEqual(['editing.hole-outside'])
    expect(holes(box(-5, -5, 15, 15))).toEqual(['editing.hole-outside'])
    expect(holes([[10, 5], [12, 4], [12, 6]])).toEqual(['editing.hole-outside'])
    expect(holes(square)).toEqual(['editing.hole-crosses-shell'])
  })
  test('crossing the shell at its vertices only', () => {
    expect(holes([[2, 5], [10, 10], [12, 12], [5, 2]])).toEqual(['editing.hole-crosses-shell'])
    // The upper side of the hole lies in the notch of the shell, between two of the hole's own vertices on the border.
    const notched = [[0, 0], [10, 0], [10, 10], [7, 10], [5, 5], [3, 10], [0, 10]]
    expect(reasons(polygon(notched, [[4, 7.5], [5, 2], [6, 7.5]]))).toEqual(['editing.hole-crosses-shell'])
    expect(reasons(polygon(notched, [[4, 5], [5, 2], [6, 5]]))).toEqual([])
  })
  test('crossing and within each other', () => {
    expect(holes(box(2, 2, 5, 5), box(4, 4, 7, 7))).toEqual(['editing.holes-cross'])
    expect(holes(box(2, 2, 8, 8), box(4, 4, 6, 6))).toEqual(['editing.holes-cross'])
    expect(holes(box(4, 4, 6, 6), box(2, 2, 8, 8))).toEqual(['editing.holes-cross'])
    expect(holes(box(2, 2, 4, 8), box(4, 2, 6, 8))).toEqual(['editing.holes-cross'])
  })
  test('that cut the inside in two', () => {
    expect(holes([[0, 5], [5, 4], [10, 5], [5, 6]])).toEqual(['editing.interior-cut'])
    expect(holes([[0, 5], [4, 4], [5, 5], [4, 6]], [[5, 5], [6, 4], [10, 5], [6, 6]])).toEqual(['editing.interior-cut'])
    // A chain from the shell that ends inside does not.
    expect(holes([[0, 5], [4, 4], [5, 5], [4, 6]], [[5, 5], [6, 4], [9, 5], [6, 6]])).toEqual([])
  })
})

describe('parts', () => {
  test('apart, touching at a corner, and one in the hole of another', () => {
    expect(problems(multi([square], [box(20, 0, 30, 10)]))).toEqual([])
    expect(problems(multi([square], [box(10, 10, 20, 20)]))).toEqual([])
    expect(problems(multi([square, box(2, 2, 8, 8)], [box(4, 4, 6, 6)]))).toEqual([])
    expect(problems(multi([box(4, 4, 6, 6)], [square, box(2, 2, 8, 8)]))).toEqual([])
    expect(problems(multi([square, box(2, 2, 8, 8)], [[[2, 5], [5, 4], [8, 5], [5, 6]]]))).toEqual([])
  })
  test('overlapping', () => {
    expect(reasons(multi([square], [box(5, 5, 15, 15)]))).toEqual(['editing.parts-overlap'])
    expect(reasons(multi([square], [box(4, 4, 6, 6)]))).toEqual(['editing.parts-overlap'])
    expect(reasons(multi([box(4, 4, 6, 6)], [square]))).toEqual(['editing.parts-overlap'])
    expect(reasons(multi([square], [square]))).toEqual(['editing.parts-overlap'])
    expect(reasons(multi([square], [box(0, 0, 5, 10)]))).toEqual(['editing.parts-overlap'])
    expect(reasons(multi([square, box(2, 2, 8, 8)], [box(1, 4, 6, 6)]))).toEqual(['editing.parts-overlap'])
    // Corners upon the border of the other, the inside between them.
    expect(reasons(multi([square], [[[0, 0], [10, 10], [12, 20], [-10, 20]]]))).toEqual(['editing.parts-overlap'])
  })
  test('beside each other along a border', () => {
    expect(reasons(multi([square], [box(10, 0, 20, 10)]))).toEqual(['editing.parts-share-border'])
    expect(reasons(multi([square], [[...box(10, 2, 20, 8)].reverse()]))).toEqual(['editing.parts-share-border'])
    expect(reasons(multi([square, box(2, 2, 8, 8)], [box(2, 2, 8, 8)]))).toEqual(['editing.parts-share-border'])
  })
})

test('a star of 2,000 vertices is valid, and with two of them exchanged it is not', () => {
  const next = random(3)
  const star: Position[] = Array.from({ length: 2000 }, (_, i) => {
    const [angle, r] = [(i / 2000) * 2 * Math.PI, 1e-3 * (0.5 + next() / 2)]
    return [24.7 + r * Math.cos(angle), 48.9 + r * Math.sin(angle)]
  })
  expect(problems(polygon(star))).toEqual([])
  for (let k = 0; k < 20; k++) {
    const i = Math.floor(next() * 1990)
    const bad = star.with(i, star[i + 3]!).with(i + 3, star[i]!)
    expect(reasons(polygon(bad))).toContain('editing.crosses-itself')
  }
})

test('the parcels of a jittered grid are valid each, and as parts of one they share borders', () => {
  const rings = [...grid(6, random(9)).values()].map((f) => (f.geometry as { coordinates: Position[][] }).coordinates)
  for (const coordinates of rings) expect(isValid({ type: 'Polygon', coordinates })).toBe(true)
  expect(reasons({ type: 'MultiPolygon', coordinates: rings })).toEqual(['editing.parts-share-border'])
  // Every second one, as on a chessboard, touches the others at corners only.
  expect(reasons({ type: 'MultiPolygon', coordinates: rings.filter((_, i) => (i + Math.floor(i / 6)) % 2 === 0) })).toEqual([])
})

/** What `ST_IsValid` of GEOS 3.11.1 says of the first 4,000 awkward geometries of the seed: four in a digit, the first in its highest bit. */
const GEOS = [
  '1604040190810bc40209a9400004084000901820d029100a850000040005144809006024c094200141480c011209062020603051e2800304800188004101f',
  '10030010080a21000b6180280120064a380c802e00500550500680941684203060004141086080301000001020181900841021226210442c2042009402540',
  '212144027059020ed01c808a15000592098800b5406509a2400204060022095200628188c0120005209c00402aa9801000008d20151c02104000404848208',
  '8030881c2108032200200002a0000406c8a083207804b201204000003002000840982000804412106310d04618300c400920241000100100100085040804c',
  '6a8100010090181254184402011130bc02093a029010101089288b8100000051400280480000000460820504050008100618100000803d4200040a0000240',
  '82002421823064000001820490008a900809040b681292e004002463c418808082400040a9100022ee0601289a183480222044435211002b5700a8119a418',
  '0009012120001910350ca200c09200a904c80284068a130080c4100500c082a50402101200840c082ba4201552e02109480002100300ec200108830200904',
  '2380c18282201940900808a20210824000101000a401022283002c20d11800c030040004291204000807080b0308b021024104100000880c7900800088c00',
].join('')

test('agrees with GEOS on 4,000 awkward geometries', () => {
  const next = random(2024)
  const digits: number[] = []
  for (let i = 0; i < 4000; i++) digits[i >> 2] = (digits[i >> 2] ?? 0) * 2 + (isValid(awkward(next)) ? 1 : 0)
  expect(digits.map((digit) => digit.toString(16)).join('')).toBe(GEOS)
})
