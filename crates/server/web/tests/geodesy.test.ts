import type { Geometry } from 'geojson'
import { describe, expect, test } from 'vitest'
import { area, distance, distanceTo, length, lineLength, positions, ringArea } from '../src/lib/geodesy'
import { measured, measureDrawing } from '../src/map/measure'

describe('distance on WGS 84', () => {
  // The quarter meridian and the equator's degree are defined by the ellipsoid's axes.
  test('equator to pole is the quarter meridian', () => expect(distance([0, 0], [0, 90])).toBeCloseTo(10_001_965.729, 2))
  test('a degree of the equator', () => expect(distance([10, 0], [11, 0])).toBeCloseTo((6_378_137 * Math.PI) / 180, 3))
  test('a degree of latitude at the pole and at the equator', () => {
    expect(distance([24, 89], [24, 90])).toBeCloseTo(111_693.9, 0)
    expect(distance([24, 0], [24, 1])).toBeCloseTo(110_574.4, 0)
  })
  test('Flinders Peak to Buninyong (Vincenty’s own test line, on WGS 84’s near twin GRS 80)', () => {
    const dms = (d: number, m: number, s: number) => d + m / 60 + s / 3600
    const flinders = [dms(144, 25, 29.5244), -dms(37, 57, 3.7203)]
    const buninyong = [dms(143, 55, 35.3839), -dms(37, 39, 10.1561)]
    expect(distance(flinders, buninyong)).toBeCloseTo(54_972.271, 2)
  })
  test('nothing for the same point, and an answer for opposite ones', () => {
    expect(distance([24.71, 48.92], [24.71, 48.92])).toBe(0)
    expect(distance([0, 0], [179.9, 0.1])).toBeGreaterThan(19_900_000)
    expect(Number.isFinite(distance([0, 0], [180, 0]))).toBe(true)
  })
})

describe('area on WGS 84', () => {
  /** Area between two parallels and two meridians, in closed form. */
  const zone = (s: number, n: number, degrees: number) => {
    const e2 = 0.00669437999014, e = Math.sqrt(e2)
    const q = (lat: number) => {
      const x = Math.sin((lat * Math.PI) / 180)
      return (1 - e2) * (x / (1 - e2 * x * x) + Math.atanh(e * x) / e)
    }
    return (((q(n) - q(s)) * 6_378_137 ** 2) / 2) * ((degrees * Math.PI) / 180)
  }
  test('the whole ellipsoid is 510,065,621.7 km²', () => expect(zone(-90, 90, 360) / 1e6).toBeCloseTo(510_065_621.7, 0))
  test('a box between parallels', () => {
    expect(ringArea([[24, 48], [25, 48], [25, 49], [24, 49]])).toBeCloseTo(zone(48, 49, 1), 0)
  })
  test('a parcel of 20 by 30 metres, to a square centimetre', () => {
    const lat = 48.92
    const [dx, dy] = [20 / distance([24.71, lat], [24.711, lat]) / 1000, 30 / distance([24.71, lat], [24.71, lat + 0.001]) / 1000]
    expect(ringArea([[24.71, lat], [24.71 + dx, lat], [24.71 + dx, lat + dy], [24.71, lat + dy]])).toBeCloseTo(600, 2)
  })
  test('closed or open, either way round: the same', () => {
    const ring = [[24.71, 48.92], [24.712, 48.921], [24.713, 48.925]]
    const a = ringArea(ring)
    expect(ringArea([...ring, ring[0]!])).toBeCloseTo(a, 6)
    expect(ringArea([...ring].reverse())).toBeCloseTo(a, 6)
    expect(ringArea(ring.slice(0, 2))).toBe(0)
  })
  test('holes are taken out, parts are added', () => {
    const square = (x: number, size: number) => [[x, 48], [x + size, 48], [x + size, 48 + size], [x, 48 + size], [x, 48]]
    const [outer, hole, other] = [square(24, 0.1), square(24.02, 0.01), square(25, 0.1)]
    const geometry: Geometry = { type: 'MultiPolygon', coordinates: [[outer, hole], [other]] }
    expect(area(geometry)).toBeCloseTo(ringArea(outer) - ringArea(hole) + ringArea(other), 3)
    expect(area({ type: 'LineString', coordinates: outer })).toBe(0)
    expect(area(null)).toBe(0)
  })
})

test('length of lines, perimeter of polygons', () => {
  const line = [[24.71, 48.92], [24.72, 48.92], [24.72, 48.93]]
  expect(lineLength(line)).toBeCloseTo(distance(line[0]!, line[1]!) + distance(line[1]!, line[2]!), 9)
  expect(length({ type: 'Polygon', coordinates: [[...line, line[0]!]] })).toBeCloseTo(lineLength([...line, line[0]!]), 9)
  expect(length({ type: 'Point', coordinates: [1, 2] })).toBe(0)
})

test('every position of every kind of geometry', () => {
  const nested: Geometry = { type: 'GeometryCollection', geometries: [{ type: 'Point', coordinates: [1, 2] }, { type: 'MultiPolygon', coordinates: [[[[3, 4], [5, 6]]]] }] }
  expect([...positions(nested)].map((p) => p.join()).sort()).toEqual(['1,2', '3,4', '5,6'])
  expect([...positions(null)]).toEqual([])
  expect([...positions({ type: 'Polygon', coordinates: [] })]).toEqual([])
})

describe('distance to a feature', () => {
  const square: Geometry = { type: 'Polygon', coordinates: [[[24.7, 48.9], [24.71, 48.9], [24.71, 48.91], [24.7, 48.91], [24.7, 48.9]]] }
  test('none inside, the nearest side outside, the rim of a hole', () => {
    expect(distanceTo(square, [24.705, 48.905])).toBe(0)
    expect(distanceTo(square, [24.72, 48.905])).toBeCloseTo(distance([24.71, 48.905], [24.72, 48.905]), -1)
    const holed: Geometry = { type: 'Polygon', coordinates: [...square.coordinates as number[][][], [[24.704, 48.904], [24.706, 48.904], [24.706, 48.906], [24.704, 48.906], [24.704, 48.904]]] }
    expect(distanceTo(holed, [24.705, 48.905])).toBeGreaterThan(50)
  })
  test('agrees with the geodesic within half a percent over a town', () => {
    for (let i = 0; i < 50; i++) {
      const at = [24.6 + i * 0.004, 48.85 + i * 0.003]
      const exact = distance(at, [24.71, 48.92])
      expect(Math.abs(distanceTo({ type: 'Point', coordinates: [24.71, 48.92] }, at) - exact)).toBeLessThan(exact * 0.005 + 0.01)
    }
  })
})

describe('measuring', () => {
  const points: [number, number][] = [[24.71, 48.92], [24.712, 48.92], [24.712, 48.921]]
  test('an area closes its ring for the perimeter', () => {
    expect(measured('area', points)).toEqual({ area: ringArea(points), length: lineLength([...points, points[0]!]) })
    expect(measured('area', points.slice(0, 2)).area).toBe(0)
    expect(measured('distance', points)).toEqual({ area: 0, length: lineLength(points) })
  })
  test('draws corners, sides and their lengths; the cursor adds a side but no corner', () => {
    const kinds = (cursor?: [number, number]) => measureDrawing({ mode: 'distance', points }, cursor, 'en').features.map((f) => f.geometry.type + ('text' in f.properties! ? '!' : ''))
    expect(kinds()).toEqual(['LineString', 'Point', 'Point', 'Point', 'Point!', 'Point!'])
    expect(kinds([24.713, 48.922]).filter((k) => k === 'Point')).toHaveLength(3)
    expect(kinds([24.713, 48.922]).filter((k) => k === 'Point!')).toHaveLength(3)
  })
})
