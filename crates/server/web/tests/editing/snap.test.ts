import type { Feature, Polygon, Position } from 'geojson'
import { describe, expect, test } from 'vitest'
import { distance } from '../../src/lib/geodesy'
import { segments, vertices, type Editable } from '../../src/editing/geometry'
import { RADIUS, snap, snapAngle, snapIndex, snapTo, type Pixel, type Projection } from '../../src/editing/snap'
import { box, CELL, feature, grid, polygon, random } from './cases'

/** One degree is one pixel, y downwards. */
const plain: Projection = { project: ([x, y]) => [x!, -y!], unproject: ([x, y]) => [x, -y] }

/** Web Mercator about a place, turned. */
function mercator(center: Position, zoom: number, turn: number, [width, height]: Pixel): Projection {
  const scale = (512 * 2 ** zoom) / 360
  const y = (lat: number) => (Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) * 180) / Math.PI
  const [c, s] = [Math.cos(turn), Math.sin(turn)]
  return {
    project: (p) => {
      const [dx, dy] = [(p[0]! - center[0]!) * scale, -(y(p[1]!) - y(center[1]!)) * scale]
      return [width / 2 + dx * c - dy * s, height / 2 + dx * s + dy * c]
    },
    unproject: ([px, py]) => {
      const [rx, ry] = [px - width / 2, py - height / 2]
      const [dx, dy] = [rx * c + ry * s, -rx * s + ry * c]
      return [center[0]! + dx / scale, (Math.atan(Math.exp(((y(center[1]!) - dy / scale) * Math.PI) / 180)) * 360) / Math.PI - 90]
    },
  }
}

const town = new Map<string, Feature>([
  ['west', feature(polygon(box(100, -200, 200, -100)))],
  ['east', feature(polygon(box(200, -200, 300, -100)))],
  ['line', feature({ type: 'LineString', coordinates: [[400, -100], [400.1, -300.3]] })],
])
const index = snapIndex(town, plain, [1000, 600])
const path = (vertex: number) => ({ part: 0, ring: 0, vertex })

describe('vertices and segments', () => {
  test('a vertex in reach goes before a nearer segment, and is exact', () => {
    expect(snapTo(index, [398, 302], 10)).toEqual({ kind: 'vertex', position: [400.1, -300.3], feature: 'line', path: path(1), pixels: expect.closeTo(Math.hypot(2.1, 1.7), 9) })
    expect(snapTo(index, [107, 101], 10)).toMatchObject({ kind: 'vertex', feature: 'west', path: path(3) })
    const vertex = snapTo(index, [398, 302], 10)!
    expect(vertex.position).toBe((town.get('line')!.geometry as { coordinates: Position[] }).coordinates[1])
  })
  test('else the nearest place of a segment, with its path', () => {
    expect(snapTo(index, [150, 104], 10)).toEqual({ kind: 'segment', position: [150, -100], feature: 'west', path: path(2), pixels: 4 })
    // The closing segment has the path of the last vertex.
    expect(snapTo(index, [97, 150], 10)).toEqual({ kind: 'segment', position: [100, -150], feature: 'west', path: path(3), pixels: 3 })
    expect(snapTo(index, [150, 111], 10)).toBeUndefined()
    expect(snapTo(index, [150, 111], RADIUS.touch)).toMatchObject({ kind: 'segment' })
  })
  test('of two equally near the first feature wins, however often it is asked', () => {
    expect(snapTo(index, [203, 103], 10)).toMatchObject({ kind: 'vertex', feature: 'west', path: path(2) })
    expect(snapTo(index, [200, 150], 10)).toMatchObject({ kind: 'segment', feature: 'west', path: path(1) })
    const swapped = snapIndex([...town].reverse(), plain, [1000, 600])
    expect(snapTo(swapped, [203, 103], 10)).toMatchObject({ feature: 'east', path: path(3) })
    // Half way between two vertices of one feature.
    const pair = snapIndex([['p', feature({ type: 'MultiPoint', coordinates: [[15, -10], [5, -10]] })]], plain, [100, 100])
    expect(snapTo(pair, [10, 10], 10)).toMatchObject({ position: [15, -10] })
  })
  test('a moving node, and what hangs on it, is no goal', () => {
    const moving = { node: [200, -100] }
    expect(snapTo(index, [203, 103], 10, moving)).toBeUndefined()
    expect(snapTo(index, [150, 104], 10, moving)).toBeUndefined()
    expect(snapTo(index, [150, 196], 10, moving)).toMatchObject({ kind: 'segment' })
    // When only the one feature moves, it may come back to its neighbour.
    expect(snapTo(index, [203, 103], 10, { ...moving, only: 'west' })).toMatchObject({ kind: 'vertex', feature: 'east' })
  })
  test('a segment much longer than the screen is caught anywhere on it', () => {
    const long = snapIndex([['l', feature({ type: 'LineString', coordinates: [[-1e7, 1e7 - 300], [1e7, -1e7 - 300]] })]], plain, [1000, 600])
    for (let x = 0; x <= 300; x += 7) expect(snapTo(long, [x, x + 303], 10)).toMatchObject({ kind: 'segment', feature: 'l' })
    expect([...long.segments.values()].flat().length).toBeLessThan(200)
  })
})

describe('angles', () => {
  const view = mercator([24.7, 48.9], 19, 0.7, [1000, 600])
  const a: Position = [24.7, 48.9]
  const b: Position = [24.7003, 48.9001]
  /** Degrees at b between the way to a and the way to p, on the ground. */
  const angle = (p: Position) => {
    const [x, y, z] = [distance(a, b), distance(b, p), distance(a, p)]
    return (Math.acos(Math.max(-1, (x * x + y * y - z * z) / (2 * x * y))) * 180) / Math.PI
  }
  test('square is square on the ground, straight is straight', () => {
    const [bx, by] = view.project(b)
    const kinds = new Map<string, number>()
    for (let turn = 0; turn < 360; turn++) {
      const pixel: Pixel = [bx + 200 * Math.cos((turn * Math.PI) / 180), by + 200 * Math.sin((turn * Math.PI) / 180)]
      const found = snapAngle([a, b], view, pixel, 10)
      kinds.set(found?.kind ?? 'none', (kinds.get(found?.kind ?? 'none') ?? 0) + 1)
      if (!found) continue
      expect(Math.abs(angle(found.position) - (found.kind === 'square' ? 90 : 180))).toBeLessThan(found.kind === 'square' ? 0.001 : 0.05)
    }
    // 10 pixels at 200 are 2.9° to each side: twice for the two right angles, once for straight on, never back.
    expect(Math.abs(kinds.get('square')! - 11)).toBeLessThan(2)
    expect(Math.abs(kinds.get('straight')! - 5.5)).toBeLessThan(1)
  })
  test('needs a side that has a direction', () => {
    expect(snapAngle([a], view, [500, 300], 10)).toBeUndefined()
    expect(snapAngle([a, a], view, [500, 300], 10)).toBeUndefined()
  })
  test('vertex before segment before angle before the free place', () => {
    const drawn: Position[] = [[500, -150], [300, -150]]
    const at = (pixel: Pixel, options = {}) => snap(index, plain, pixel, { radius: 10, drawn, ...options }).kind
    expect(at([202, 103])).toBe('vertex')
    expect(at([200, 150])).toBe('segment')
    expect(at([250, 152])).toBe('straight')
    expect(at([302, 50])).toBe('square')
    expect(at([250, 152], { drawn: undefined })).toBe('free')
    expect(snap(index, plain, [250, 170], { radius: 10 })).toEqual({ kind: 'free', position: [250, -170] })
  })
})

describe('20,000 vertices', () => {
  const next = random(11)
  const set = grid(71, next)
  const all = [...set].flatMap(([id, f]) => [...vertices(f.geometry as Editable)].map((v) => ({ id, ...v })))
  const lines = [...set].flatMap(([id, f]) => [...segments(f.geometry as Editable)].map((s) => ({ id, ...s })))
  const size: Pixel = [1400, 900]
  const view = mercator([24.7 + 35 * CELL, 48.9 + 35 * CELL], 17, 0.4, size)
  const big = snapIndex(set, view, size)

  test('the same as looking at every one of them', () => {
    expect(all.length).toBeGreaterThan(20_000)
    const pixels = new Map(all.map((v) => [v.position, view.project(v.position)] as const))
    const at = (p: Position) => pixels.get(p) ?? view.project(p)
    const kinds: Record<string, number> = {}
    for (let i = 0; i < 150; i++) {
      const pixel: Pixel = [next() * size[0], next() * size[1]]
      const radius = i % 2 ? 3 : 8
      let best: { distance: number; id: string; vertex: number; position?: Position } | undefined
      for (const v of all) {
        const [x, y] = at(v.position)
        const d = Math.hypot(x - pixel[0], y - pixel[1])
        if (d <= radius && (!best || d < best.distance)) best = { distance: d, id: v.id, vertex: v.path.vertex, position: v.position }
      }
      const vertex = !!best
      if (!best) {
        for (const s of lines) {
          const [[ax, ay], [bx, by]] = [at(s.from), at(s.to)]
          const t = Math.max(0, Math.min(1, ((pixel[0] - ax) * (bx - ax) + (pixel[1] - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)))
          const d = Math.hypot(ax + t * (bx - ax) - pixel[0], ay + t * (by - ay) - pixel[1])
          if (d <= radius && (!best || d < best.distance - 1e-9)) best = { distance: d, id: s.id, vertex: s.path.vertex }
        }
      }
      const found = snapTo(big, pixel, radius)
      const kind = vertex ? 'vertex' : best ? 'segment' : 'none'
      kinds[kind] = (kinds[kind] ?? 0) + 1
      expect(found?.kind ?? 'none').toBe(kind)
      if (!best || !found || found.kind === 'free') continue
      expect((found as { pixels: number }).pixels).toBeCloseTo(best.distance, 9)
      if (best.position) expect(found.position).toBe(best.position)
      if (found.kind === 'vertex') expect([found.feature, found.path.vertex]).toEqual([best.id, best.vertex])
      if (found.kind === 'segment') {
        const [x, y] = view.project(found.position)
        expect(Math.hypot(x - pixel[0], y - pixel[1])).toBeCloseTo(best.distance, 3)
      }
    }
    expect(Math.min(kinds.vertex!, kinds.segment!, kinds.none!)).toBeGreaterThan(10)
  })

  test('a question takes well below a few milliseconds', () => {
    const begin = performance.now()
    for (let i = 0; i < 1000; i++) snapTo(big, [next() * size[0], next() * size[1]], RADIUS.touch)
    expect((performance.now() - begin) / 1000).toBeLessThan(2)
  })

  test('the vertex of a shared corner is bit-equal for all its parcels', () => {
    const corner = (set.get('35/35')!.geometry as Polygon).coordinates[0]![2]!
    const found = snapTo(big, view.project(corner), 8)
    expect(found?.position).toEqual(corner)
  })
})
