/** Where in a parcel its number goes, and from which zoom it fits. */
import type { Geometry, Position } from 'geojson'

/** Pixels of the world at zoom 0 (512-pixel tiles). */
const WORLD = 512
/** Text of 11 px: an average digit of Noto Sans, and the air beside the text. */
const DIGIT = 6.3
const AIR = 5
const HEIGHT = 11
/** Rows that are tried, as parts of the height, the middle first. */
const ROWS = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9]
const MIN_ZOOM = 0
const MAX_ZOOM = 24
const STEP = 0.05
/** A place beside the buildings that fits by this zoom is good enough without asking for a better one. */
const LATE = 17
/** Zooms by which a number beside the buildings may come later than one upon them. */
const PATIENCE = 1.6

export interface Fit {
  /** [longitude, latitude] in degrees. */
  at: Position
  /** Smallest zoom at which the text lies wholly inside the polygon. */
  zoom: number
}

/**
 * Tries a few rows through the polygon and takes the stretch that holds the text first, at its top, middle and bottom.
 * O(corners); undefined for what is not a polygon.
 */
export function fitText(geometry: Geometry, text: string, avoid: readonly Geometry[] = []): Fit | undefined {
  const holes = avoid.flatMap(polygonsOf).map((polygon) => polygon.map((ring) => ring.map(toWorld)))
  const free = holes.length > 0 ? fitBest(geometry, text, holes) : undefined
  const any = free && free.zoom <= LATE ? undefined : fitBest(geometry, text, [])
  // Beside the buildings, unless that would come much later than upon them.
  return free && (!any || free.zoom - any.zoom <= PATIENCE) ? free : any
}

function fitBest(geometry: Geometry, text: string, holes: Flat[][][]): Fit | undefined {
  let best: Fit | undefined
  for (const polygon of polygonsOf(geometry)) {
    const fit = fitPolygon(polygon, text, holes)
    if (fit && (!best || fit.zoom < best.zoom)) best = fit
  }
  return best
}

function polygonsOf(geometry: Geometry): Position[][][] {
  return geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.type === 'MultiPolygon' ? geometry.coordinates : []
}

type Flat = [number, number]

function fitPolygon(polygon: Position[][], text: string, holes: Flat[][][]): Fit | undefined {
  const rings = polygon.map((ring) => ring.map(toWorld))
  const outer = rings[0]
  if (!outer || outer.length < 4) return undefined
  const ys = outer.map((p) => p[1])
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)]
  const width = text.length * DIGIT + AIR
  /** The stretch that holds the text at a zoom, if it fits there. */
  const room = (y: number, zoom: number): Flat | undefined => {
    const half = HEIGHT / 2 / 2 ** zoom
    const rows = [y, y - half, y + half]
    const taken = rows.flatMap((row) => holes.flatMap((hole) => inside(hole, row)))
    const stretch = common(rows.map((row) => inside(rings, row)), taken)
    return stretch && (stretch[1] - stretch[0]) * 2 ** zoom >= width ? stretch : undefined
  }
  let best: Fit | undefined
  for (const part of ROWS) {
    const y = top + (bottom - top) * part
    let [low, high] = [MIN_ZOOM, best ? best.zoom - STEP : MAX_ZOOM]
    if (high <= low) break
    let stretch = room(y, high)
    // A row that is no roomier than the best so far costs one look.
    if (!stretch) continue
    while (high - low > STEP) {
      const middle = (low + high) / 2
      const found = room(y, middle)
      if (found) [high, stretch] = [middle, found]
      else low = middle
    }
    best = { at: toLonLat([(stretch[0] + stretch[1]) / 2, y]), zoom: high }
  }
  return best
}

/** Stretches of a row that lie inside, left to right. */
function inside(rings: Flat[][], y: number): Flat[] {
  const xs: number[] = []
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i++) {
      const [x1, y1] = ring[i]!
      const [x2, y2] = ring[(i + 1) % ring.length]!
      if (y1 > y !== y2 > y) xs.push(x1 + ((y - y1) / (y2 - y1)) * (x2 - x1))
    }
  }
  xs.sort((a, b) => a - b)
  const out: Flat[] = []
  for (let i = 0; i + 1 < xs.length; i += 2) out.push([xs[i]!, xs[i + 1]!])
  return out
}

/** The widest stretch that all rows share and nothing has taken. */
function common(rows: Flat[][], taken: Flat[]): Flat | undefined {
  let shared = rows[0] ?? []
  for (const row of rows.slice(1)) {
    shared = shared.flatMap(([a, b]) => row.map(([c, d]): Flat => [Math.max(a, c), Math.min(b, d)]).filter(([l, r]) => r > l))
  }
  for (const [a, b] of taken) shared = shared.flatMap(([l, r]): Flat[] => (b <= l || a >= r ? [[l, r]] : ([[l, a], [b, r]] as Flat[]).filter(([x, y]) => y > x)))
  return shared.reduce<Flat | undefined>((best, s) => (!best || s[1] - s[0] > best[1] - best[0] ? s : best), undefined)
}

function toWorld([lon, lat]: Position): Flat {
  const s = Math.sin((lat! * Math.PI) / 180)
  return [(lon! / 360 + 0.5) * WORLD, (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * WORLD]
}

function toLonLat([x, y]: Flat): Position {
  return [(x / WORLD - 0.5) * 360, (Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / WORLD))) * 180) / Math.PI]
}
