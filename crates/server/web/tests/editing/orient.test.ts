import type { Position } from 'geojson'
import { describe, expect, test } from 'vitest'
import { crossing, locate, meet, orient, signedArea } from '../../src/editing/orient'
import { box, polygon, random } from './cases'

/** A double as an exact fraction of whole numbers, by its decimal digits: another way than the one tested. */
function fraction(value: number): [bigint, bigint] {
  let [n, d] = [value, 1n]
  while (!Number.isInteger(n)) {
    n *= 2
    d *= 2n
  }
  return [BigInt(n), d]
}
type Q = [bigint, bigint]
const minus = ([a, b]: Q, [c, d]: Q): Q => [a * d - c * b, b * d]
const times = ([a, b]: Q, [c, d]: Q): Q => [a * c, b * d]

function rational(a: Position, b: Position, c: Position): number {
  const [ax, ay, bx, by, cx, cy] = [...a, ...b, ...c].map(fraction) as [Q, Q, Q, Q, Q, Q]
  const [n] = minus(times(minus(ax, cx), minus(by, cy)), times(minus(ay, cy), minus(bx, cx)))
  return n > 0n ? 1 : n < 0n ? -1 : 0
}
const plain = (a: Position, b: Position, c: Position) => Math.sign((a[0]! - c[0]!) * (b[1]! - c[1]!) - (a[1]! - c[1]!) * (b[0]! - c[0]!))

describe('orient', () => {
  test('agrees with fractions on 10,000 triples that are nearly on one line', () => {
    const next = random(1)
    let wrong = 0
    const signs = new Set<number>()
    for (let i = 0; i < 10_000; i++) {
      // Half of them as in a town, half with lines that come from near the origin: there the differences are rounded too.
      const far = i % 2 === 0
      const a: Position = far ? [next(), next()] : [24 + next(), 48 + next()]
      const b: Position = far ? [next(), next()] : [24 + next(), 48 + next()]
      const t = far ? next() * 60 : next() * 2 - 0.5
      // The rounded point of the line, and a few units in the last place beside it.
      const c: Position = [a[0]! + t * (b[0]! - a[0]!) + Math.floor(next() * 3 - 1) * 2 ** -50, a[1]! + t * (b[1]! - a[1]!)]
      if (i % 8 === 1) [c[0], c[1]] = [(a[0]! + b[0]!) / 2, (a[1]! + b[1]!) / 2]
      const sign = rational(a, b, c)
      expect(Math.sign(orient(a, b, c))).toBe(sign)
      expect(Math.sign(orient(c, b, a))).toBe(sign === 0 ? 0 : -sign)
      signs.add(sign)
      if (plain(a, b, c) !== sign) wrong++
    }
    expect(signs).toEqual(new Set([-1, 0, 1]))
    // The triples are hard enough: the plain formula gets many of them wrong.
    expect(wrong).toBeGreaterThan(100)
  })
  test('a fan of places one unit in the last place apart', () => {
    for (let i = 0; i < 32; i++) {
      for (let j = 0; j < 32; j++) {
        const p: Position = [0.5 + i * 2 ** -53, 0.5 + j * 2 ** -53]
        expect(Math.sign(orient(p, [12, 12], [24, 24]))).toBe(rational(p, [12, 12], [24, 24]))
      }
    }
  })
  test('very small, very large and very unlike numbers', () => {
    const tiny = 5e-324
    expect(Math.sign(orient([0, 0], [tiny, 0], [0, tiny]))).toBe(1)
    expect(Math.sign(orient([0, 0], [1e-200, 1e-200], [2e-200, 2e-200]))).toBe(0)
    expect(Math.sign(orient([0, 0], [1e-200, 1e-200], [2e-200, 3e-200]))).toBe(1)
    expect(Math.sign(orient([0, 0], [1e300, 1e300], [-1e300, 1e300]))).toBe(1)
    expect(Math.sign(orient([0, 0], [tiny, 2 * tiny], [2 * tiny, 4 * tiny]))).toBe(0)
    expect(Math.sign(orient([1.5e308, 1], [-1.5e308 + 1e300, 1e-300], [-1.5e308, 0]))).toBe(-1)
    expect(Math.sign(orient([-0, 0], [1, 0], [2, -0]))).toBe(0)
    expect(Math.sign(orient([0, 0], [1e30, 1e30], [1, 1 - 2 ** -53]))).toBe(-1)
  })
})

describe('segments', () => {
  const kind = (...p: [number, number][]) => {
    const m = meet(p[0]!, p[1]!, p[2]!, p[3]!)
    return m && [m.kind, ...m.at]
  }
  test.each([
    ['cross', [[0, 0], [2, 2], [0, 2], [2, 0]], ['cross', 1, 1]],
    ['end upon the other', [[0, 0], [2, 0], [1, 0], [1, 5]], ['touch', 1, 0]],
    ['ends together', [[0, 0], [2, 0], [2, 0], [3, 5]], ['touch', 2, 0]],
    ['one line, apart', [[0, 0], [1, 0], [2, 0], [3, 0]], undefined],
    ['one line, ends together', [[0, 0], [1, 0], [2, 0], [1, 0]], ['touch', 1, 0]],
    ['one vertical line, overlapping', [[0, 0], [0, 2], [0, 3], [0, 1]], ['overlap', 0, 1]],
    ['parallel', [[0, 0], [2, 2], [0, 1], [2, 3]], undefined],
    ['would cross if longer', [[0, 0], [2, 2], [3, 0], [2, 1.5]], undefined],
    ['boxes meet, lines do not', [[0, 0], [2, 2], [1.5, 0], [2, 0.5]], undefined],
  ] as [string, [number, number][], unknown][])('%s', (_, points, expected) => {
    const [a, b, c, d] = points as [[number, number], [number, number], [number, number], [number, number]]
    expect(kind(a, b, c, d)).toEqual(expected)
    for (const other of [kind(b, a, c, d), kind(a, b, d, c), kind(c, d, a, b)]) expect(other?.[0]).toEqual((expected as string[] | undefined)?.[0])
  })
  test('a crossing is found to a nanometre beside large coordinates', () => {
    const at = crossing([24.7, 48.9], [24.7002, 48.9002], [24.7, 48.9002], [24.7002, 48.9])
    expect(Math.abs(at[0]! - 24.7001)).toBeLessThan(1e-14)
    expect(Math.abs(at[1]! - 48.9001)).toBeLessThan(1e-14)
  })
})

describe('rings', () => {
  const notch = polygon([[0, 0], [10, 0], [10, 10], [5, 5], [0, 10]]).coordinates[0]!
  test.each([
    ['within', [5, 2], 1], ['in the notch', [5, 6], -1], ['outside, level with a vertex', [-1, 5], -1], ['outside, level with a side', [-1, 0], -1], ['beyond', [11, 5], -1],
    ['upon a vertex', [5, 5], 0], ['upon the top of a side', [10, 10], 0], ['upon a level side', [3, 0], 0], ['upon an upright side', [0, 3], 0], ['upon a slope', [7, 7], 0],
    ['within, level with a vertex', [2, 5], 1], ['beside a slope by one unit', [7, 7.000000000000001], -1],
  ] as [string, [number, number], number][])('%s', (_, p, expected) => {
    expect(locate(notch, p)).toBe(expected)
    expect(locate([...notch].reverse(), p)).toBe(expected)
  })
  test('a ring that turns left has a positive area', () => {
    const square = polygon(box(0, 0, 2, 3)).coordinates[0]!
    expect(signedArea(square)).toBe(12)
    expect(signedArea([...square].reverse())).toBe(-12)
  })
})
