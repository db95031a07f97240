/** On which side of a line a point lies, and how segments and rings meet: exact for every double. */
import type { Position } from 'geojson'
import { samePlace } from './geometry'

/** Bound of the rounding error of the quick answer (Shewchuk 1997, "Adaptive Precision", §4.3: (3 + 16ε)ε). */
const BOUND = 3.330_669_073_875_472e-16
/** Products below this may have lost digits to underflow. */
const TINY = 1e-280

/** Positive when a, b, c turn left, negative when they turn right, 0 when they lie on one line. The sign is exact. */
export function orient(a: Position, b: Position, c: Position): number {
  const left = (a[0]! - c[0]!) * (b[1]! - c[1]!)
  const right = (a[1]! - c[1]!) * (b[0]! - c[0]!)
  const det = left - right
  const size = Math.abs(left) + Math.abs(right)
  // Written so that NaN, of an overflow, is not sure.
  const sure = Math.abs(det) >= BOUND * size && size > TINY && size < Infinity
  return sure ? det : exact(a, b, c)
}

/** The same with whole numbers: every double is a whole number times a power of two. */
function exact(a: Position, b: Position, c: Position): number {
  const values = [a[0]!, a[1]!, b[0]!, b[1]!, c[0]!, c[1]!].map(wholeAndPower)
  const least = Math.min(...values.map(([, power]) => power))
  const [ax, ay, bx, by, cx, cy] = values.map(([whole, power]) => whole << BigInt(power - least)) as [bigint, bigint, bigint, bigint, bigint, bigint]
  const det = (ax - cx) * (by - cy) - (ay - cy) * (bx - cx)
  return det > 0n ? 1 : det < 0n ? -1 : 0
}

const bits = new DataView(new ArrayBuffer(8))

function wholeAndPower(value: number): [whole: bigint, power: number] {
  if (value === 0) return [0n, 0]
  bits.setFloat64(0, value)
  const raw = bits.getBigUint64(0)
  const exponent = Number((raw >> 52n) & 0x7ffn)
  const fraction = raw & 0xf_ffff_ffff_ffffn
  // Numbers below 2^-1022 have no leading one.
  const whole = exponent === 0 ? fraction : fraction | (1n << 52n)
  return [value < 0 ? -whole : whole, Math.max(1, exponent) - 1075]
}

/** `cross`: at one point within both; `touch`: at a point that is an end of one; `overlap`: along a line. */
export type Meeting = { kind: 'cross' | 'overlap'; at: Position } | { kind: 'touch'; at: Position } | undefined

/** How the segments a-b and c-d meet. The place of a crossing is rounded, that of a touch is the vertex itself. */
export function meet(a: Position, b: Position, c: Position, d: Position): Meeting {
  if (apart(a, b, c, d, 0) || apart(a, b, c, d, 1)) return undefined
  const [sc, sd] = [orient(a, b, c), orient(a, b, d)]
  if (sc === 0 && sd === 0) return meetOnLine(a, b, c, d)
  if ((sc > 0 && sd > 0) || (sc < 0 && sd < 0)) return undefined
  const [sa, sb] = [orient(c, d, a), orient(c, d, b)]
  if ((sa > 0 && sb > 0) || (sa < 0 && sb < 0)) return undefined
  if (sc === 0) return { kind: 'touch', at: c }
  if (sd === 0) return { kind: 'touch', at: d }
  if (sa === 0) return { kind: 'touch', at: a }
  if (sb === 0) return { kind: 'touch', at: b }
  return { kind: 'cross', at: crossing(a, b, c, d) }
}

function apart(a: Position, b: Position, c: Position, d: Position, axis: 0 | 1): boolean {
  return Math.max(a[axis]!, b[axis]!) < Math.min(c[axis]!, d[axis]!) || Math.max(c[axis]!, d[axis]!) < Math.min(a[axis]!, b[axis]!)
}

function meetOnLine(a: Position, b: Position, c: Position, d: Position): Meeting {
  // Along the longer side, so that a vertical line is ordered too.
  const axis = Math.abs(b[0]! - a[0]!) + Math.abs(d[0]! - c[0]!) >= Math.abs(b[1]! - a[1]!) + Math.abs(d[1]! - c[1]!) ? 0 : 1
  const order = (p: Position, q: Position) => p[axis]! - q[axis]!
  const [a1, b1] = order(a, b) <= 0 ? [a, b] : [b, a]
  const [c1, d1] = order(c, d) <= 0 ? [c, d] : [d, c]
  const from = order(a1, c1) >= 0 ? a1 : c1
  const to = order(b1, d1) <= 0 ? b1 : d1
  if (order(from, to) > 0) return undefined
  return order(from, to) === 0 ? { kind: 'touch', at: from } : { kind: 'overlap', at: from }
}

/** The place where two lines that are known to cross do so, rounded. */
export function crossing(a: Position, b: Position, c: Position, d: Position): Position {
  // Relative to a, so that digits are not lost to the size of the coordinates.
  const [bx, by] = [b[0]! - a[0]!, b[1]! - a[1]!]
  const [cx, cy] = [c[0]! - a[0]!, c[1]! - a[1]!]
  const [ux, uy] = [d[0]! - c[0]!, d[1]! - c[1]!]
  const t = (cx * uy - cy * ux) / (bx * uy - by * ux)
  return [a[0]! + t * bx, a[1]! + t * by]
}

/** 1 within the closed ring, 0 upon it, -1 outside. */
export function locate(ring: readonly Position[], p: Position): -1 | 0 | 1 {
  let inside = false
  for (let i = 1; i < ring.length; i++) {
    const [a, b] = [ring[i - 1]!, ring[i]!]
    if (a[1]! > p[1]! === b[1]! > p[1]!) {
      // Level with p without crossing its height: p may still lie upon the segment or its upper end.
      if (upon(a, b, p)) return 0
      continue
    }
    const side = orient(a, b, p)
    if (side === 0) return 0
    if (side > 0 === b[1]! > a[1]!) inside = !inside
  }
  return inside ? 1 : -1
}

/** True when p is on the segment a-b, which both lie on one side of the height of p or at it. */
function upon(a: Position, b: Position, p: Position): boolean {
  if (samePlace(a, p) || samePlace(b, p)) return true
  return a[1] === p[1] && b[1] === p[1] && a[0]! < p[0]! !== b[0]! < p[0]!
}

/** Twice the signed area of a closed ring in square degrees, positive when it turns left; rounded. */
export function signedArea(ring: readonly Position[]): number {
  const [x0, y0] = (ring[0] ?? [0, 0]) as [number, number]
  let sum = 0
  for (let i = 1; i < ring.length; i++) sum += (ring[i - 1]![0]! - x0) * (ring[i]![1]! - y0) - (ring[i]![0]! - x0) * (ring[i - 1]![1]! - y0)
  return sum
}
