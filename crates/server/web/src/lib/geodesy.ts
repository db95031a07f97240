/** Lengths and areas on the WGS 84 ellipsoid. Positions are [longitude, latitude] in degrees; results are metres. */
import type { Geometry, Position } from 'geojson'

const A = 6_378_137
const F = 1 / 298.257_223_563
const B = A * (1 - F)
const E2 = F * (2 - F)
const E = Math.sqrt(E2)
const RAD = Math.PI / 180

/** West, south, east, north of a geometry; the whole world for one without positions. */
export function boundsOf(geometry: Geometry | null): [number, number, number, number] {
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [x, y] of positions(geometry) as Iterable<[number, number]>) {
    box[0] = Math.min(box[0], x)
    box[1] = Math.min(box[1], y)
    box[2] = Math.max(box[2], x)
    box[3] = Math.max(box[3], y)
  }
  return box[0] <= box[2] ? box : [-180, -85, 180, 85]
}

/** Length of the geodesic between two positions (Vincenty 1975, inverse; 0.5 mm). */
export function distance(from: Position, to: Position): number {
  const [lon1, lat1] = from as [number, number]
  const [lon2, lat2] = to as [number, number]
  const L = (lon2 - lon1) * RAD
  const u1 = Math.atan((1 - F) * Math.tan(lat1 * RAD))
  const u2 = Math.atan((1 - F) * Math.tan(lat2 * RAD))
  const [s1, c1, s2, c2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)]
  let lambda = L
  for (let i = 0; i < 100; i++) {
    const sl = Math.sin(lambda), cl = Math.cos(lambda)
    const sinSigma = Math.hypot(c2 * sl, c1 * s2 - s1 * c2 * cl)
    if (sinSigma === 0) return 0
    const cosSigma = s1 * s2 + c1 * c2 * cl
    const sigma = Math.atan2(sinSigma, cosSigma)
    const sinAlpha = (c1 * c2 * sl) / sinSigma
    const cos2Alpha = 1 - sinAlpha * sinAlpha
    // On the equator cos²α is 0 and the term vanishes.
    const cos2M = cos2Alpha === 0 ? 0 : cosSigma - (2 * s1 * s2) / cos2Alpha
    const C = (F / 16) * cos2Alpha * (4 + F * (4 - 3 * cos2Alpha))
    const before = lambda
    lambda = L + (1 - C) * F * sinAlpha * (sigma + C * sinSigma * (cos2M + C * cosSigma * (2 * cos2M * cos2M - 1)))
    if (Math.abs(lambda - before) > 1e-12) continue
    const uSq = (cos2Alpha * (A * A - B * B)) / (B * B)
    const k1 = 1 + (uSq / 16384) * (4096 + uSq * (-768 + uSq * (320 - 175 * uSq)))
    const k2 = (uSq / 1024) * (256 + uSq * (-128 + uSq * (74 - 47 * uSq)))
    const delta = k2 * sinSigma * (cos2M + (k2 / 4) * (cosSigma * (2 * cos2M ** 2 - 1) - (k2 / 6) * cos2M * (4 * sinSigma ** 2 - 3) * (4 * cos2M ** 2 - 3)))
    return B * k1 * (sigma - delta)
  }
  // Nearly antipodal points do not converge: the sphere is close enough for a line across the globe.
  return sphere(lon1, lat1, lon2, lat2)
}

function sphere(lon1: number, lat1: number, lon2: number, lat2: number): number {
  const h = Math.sin(((lat2 - lat1) * RAD) / 2) ** 2 + Math.cos(lat1 * RAD) * Math.cos(lat2 * RAD) * Math.sin(((lon2 - lon1) * RAD) / 2) ** 2
  return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(h)))
}

export function lineLength(line: readonly Position[]): number {
  let sum = 0
  for (let i = 1; i < line.length; i++) sum += distance(line[i - 1]!, line[i]!)
  return sum
}

/**
 * Area enclosed by a ring, closed or not; always positive. The ring's edges are straight in the cylindrical equal-area
 * projection of the ellipsoid (authalic latitude), which differs from geodesic edges by less than 1e-8 for edges of a kilometre.
 */
export function ringArea(ring: readonly Position[]): number {
  if (ring.length < 3) return 0
  const [lon0, lat0] = ring[0] as [number, number]
  const q0 = authalic(lat0)
  let sum = 0
  for (let i = 0; i < ring.length; i++) {
    const [lon1, lat1] = ring[i] as [number, number]
    const [lon2, lat2] = ring[(i + 1) % ring.length] as [number, number]
    // Relative to the first corner: parcels are 1e-6 of the globe, absolute values would cost all the digits.
    sum += (lon1 - lon0) * (authalic(lat2) - q0) - (lon2 - lon0) * (authalic(lat1) - q0)
  }
  return Math.abs(sum * RAD * A * A) / 4
}

/** Snyder's q (Map Projections, eq. 3-12): the area between the equator and a latitude is A²·q/2 a radian. */
function authalic(lat: number): number {
  const s = Math.sin(lat * RAD)
  return (1 - E2) * (s / (1 - E2 * s * s) + Math.atanh(E * s) / E)
}

/** Area of the geometry without its holes; 0 for points and lines. */
export function area(geometry: Geometry | null): number {
  if (!geometry) return 0
  if (geometry.type === 'Polygon') return polygonArea(geometry.coordinates)
  if (geometry.type === 'MultiPolygon') return geometry.coordinates.reduce((sum, p) => sum + polygonArea(p), 0)
  if (geometry.type === 'GeometryCollection') return geometry.geometries.reduce((sum, g) => sum + area(g), 0)
  return 0
}

function polygonArea(rings: readonly Position[][]): number {
  return rings.reduce((sum, ring, i) => sum + (i === 0 ? ringArea(ring) : -ringArea(ring)), 0)
}

/** Length of lines, perimeter of polygons; 0 for points. */
export function length(geometry: Geometry | null): number {
  if (!geometry) return 0
  switch (geometry.type) {
    case 'LineString':
      return lineLength(geometry.coordinates)
    case 'MultiLineString':
    case 'Polygon':
      return geometry.coordinates.reduce((sum, line) => sum + lineLength(line), 0)
    case 'MultiPolygon':
      return geometry.coordinates.flat().reduce((sum, line) => sum + lineLength(line), 0)
    case 'GeometryCollection':
      return geometry.geometries.reduce((sum, g) => sum + length(g), 0)
    default:
      return 0
  }
}

/** Every position of a geometry. */
export function* positions(geometry: Geometry | null): Generator<Position> {
  if (!geometry) return
  if (geometry.type === 'GeometryCollection') {
    for (const g of geometry.geometries) yield* positions(g)
    return
  }
  const stack: unknown[] = [geometry.coordinates]
  while (stack.length > 0) {
    const next = stack.pop() as unknown[]
    if (typeof next[0] === 'number') yield next as Position
    else stack.push(...next)
  }
}

/**
 * Distance in metres from a position to the nearest part of a geometry, 0 inside a polygon. Flat about the position:
 * good for what fits on a screen, and quick enough for thousands of features.
 */
export function distanceTo(geometry: Geometry, from: Position): number {
  const [lon, lat] = from as [number, number]
  const kx = A * RAD * Math.cos(lat * RAD)
  const ky = A * RAD * (1 - E2 * 0.5)
  const flat = (p: Position): [number, number] => [(p[0]! - lon) * kx, (p[1]! - lat) * ky]
  switch (geometry.type) {
    case 'Point':
      return Math.hypot(...flat(geometry.coordinates))
    case 'MultiPoint':
      return Math.min(...geometry.coordinates.map((p) => Math.hypot(...flat(p))))
    case 'LineString':
      return toLine(geometry.coordinates.map(flat)).distance
    case 'MultiLineString':
      return Math.min(...geometry.coordinates.map((line) => toLine(line.map(flat)).distance))
    case 'Polygon':
      return toPolygon(geometry.coordinates.map((ring) => ring.map(flat)))
    case 'MultiPolygon':
      return Math.min(...geometry.coordinates.map((p) => toPolygon(p.map((ring) => ring.map(flat)))))
    default:
      return Math.min(...geometry.geometries.map((g) => distanceTo(g, from)))
  }
}

type Flat = [number, number]

function toPolygon(rings: Flat[][]): number {
  let nearest = Infinity
  let inside = false
  for (const ring of rings) {
    const line = toLine(ring)
    nearest = Math.min(nearest, line.distance)
    if (line.odd) inside = !inside
  }
  return inside ? 0 : nearest
}

/** Distance from the origin, and whether a ray from it crosses the line an odd number of times. */
function toLine(line: Flat[]): { distance: number; odd: boolean } {
  let best = Infinity
  let odd = false
  for (let i = 0; i < line.length; i++) {
    const [x2, y2] = line[i]!
    const [x1, y1] = line[Math.max(0, i - 1)]!
    const dx = x2 - x1, dy = y2 - y1
    const size = dx * dx + dy * dy
    const t = size === 0 ? 0 : Math.max(0, Math.min(1, -(x1 * dx + y1 * dy) / size))
    best = Math.min(best, Math.hypot(x1 + t * dx, y1 + t * dy))
    if (y1 > 0 !== y2 > 0 && x1 - (y1 / dy) * dx > 0) odd = !odd
  }
  return { distance: best, odd }
}
