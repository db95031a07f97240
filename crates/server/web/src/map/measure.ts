/** What a measurement draws. Positions are [longitude, latitude] in degrees. */
import type { Feature, FeatureCollection, Position } from 'geojson'
import { distance, lineLength, ringArea } from '../lib/geodesy'
import { formatArea, formatLength, type Lang } from '../lib/i18n'
import type { Measure } from '../lib/permalink'

/** Shorter sides than this (metres) would read `0 m`. */
const MIN_LEG = 0.05

export interface Measured {
  /** Metres along the points; round the ring for an area. */
  length: number
  /** Square metres; 0 for a distance. */
  area: number
}

export function measured(mode: Measure['mode'], points: readonly Position[]): Measured {
  if (mode === 'distance' || points.length < 3) return { length: lineLength(points), area: 0 }
  return { length: lineLength([...points, points[0]!]), area: ringArea(points) }
}

/** Points, the line or ring through them, and the lengths of the sides; `cursor` is the point that would come next. */
export function measureDrawing(measure: Measure, cursor: Position | undefined, lang: Lang): FeatureCollection {
  const all = cursor && measure.points.length > 0 ? [...measure.points, cursor] : measure.points
  const features: Feature[] = []
  const ring = measure.mode === 'area' && all.length >= 3
  const line = ring ? [...all, all[0]!] : all
  if (ring) features.push(feature({ type: 'Polygon', coordinates: [line] }))
  if (line.length >= 2) features.push(feature({ type: 'LineString', coordinates: line }))
  for (const point of measure.points) features.push(feature({ type: 'Point', coordinates: point }))
  for (let i = 1; i < line.length; i++) {
    const [a, b] = [line[i - 1]!, line[i]!]
    // Two clicks at one place, and a mouse that rests on the last point, make no side.
    if (distance(a, b) < MIN_LEG) continue
    features.push(feature({ type: 'Point', coordinates: middle(a, b) }, { text: formatLength(lang, distance(a, b)) }))
  }
  if (ring) features.push(feature({ type: 'Point', coordinates: mean(all) }, { text: formatArea(lang, ringArea(all)) }))
  return { type: 'FeatureCollection', features }
}

function feature(geometry: Feature['geometry'], properties: Record<string, string> = {}): Feature {
  return { type: 'Feature', geometry, properties }
}
function middle(a: Position, b: Position): Position {
  return [(a[0]! + b[0]!) / 2, (a[1]! + b[1]!) / 2]
}
/** The mean of the corners: inside a triangle, where the middle of its box lies on the longest side. */
function mean(points: readonly Position[]): Position {
  return [points.reduce((sum, p) => sum + p[0]!, 0) / points.length, points.reduce((sum, p) => sum + p[1]!, 0) / points.length]
}
