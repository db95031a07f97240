/** Which tiles a box of the ground touches. Web Mercator, the usual grid. */
import type { Bounds } from '../lib/api'

export interface TileId {
  z: number
  x: number
  y: number
}

/** What a tile shows beyond its edge, of its width: 256 of 4,096 units for lines (crates/tiles), and a little for rounding. */
const BUFFER = 257 / 4096
/** Where the square world ends. */
const MAX_LATITUDE = 85.051129
/** Tiles named at once: with more of them all that are loaded are asked for. */
export const MAX_TILES = 1_000

/** The world as a square of side 1, x to the east, y to the south. */
function worldX(lon: number): number {
  return (lon + 180) / 360
}
function worldY(lat: number): number {
  const s = Math.sin((Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, lat)) * Math.PI) / 180)
  return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)
}

/** Parts of a box that may go over the antimeridian. */
function parts([w, s, e, n]: Bounds): Bounds[] {
  if (e - w >= 360) return [[-180, s, 180, n]]
  if (w > e) return [[w, s, 180, n], [-180, s, e, n]]
  if (w < -180) return [[w + 360, s, 180, n], [-180, s, e, n]]
  if (e > 180) return [[w, s, 180, n], [-180, s, e - 360, n]]
  return [[w, s, e, n]]
}

/** First and last column and row of one part, with what tiles show beyond their edge. */
function range([w, s, e, n]: Bounds, z: number): { x0: number; x1: number; y0: number; y1: number } {
  const size = 2 ** z
  const within = (v: number) => Math.max(0, Math.min(size - 1, v))
  return {
    x0: within(Math.floor(worldX(w) * size - BUFFER)),
    x1: within(Math.floor(worldX(e) * size + BUFFER)),
    y0: within(Math.floor(worldY(n) * size - BUFFER)),
    y1: within(Math.floor(worldY(s) * size + BUFFER)),
  }
}

/** Tiles of one zoom that show any of the boxes and lie in the view; nothing when they are more than `MAX_TILES`. */
export function tilesOf(boxes: readonly Bounds[], z: number, view: Bounds): TileId[] | undefined {
  const found = new Map<string, TileId>()
  const views = parts(view).map((v) => range(v, z))
  for (const a of boxes.flatMap(parts).map((b) => range(b, z))) {
    for (const v of views) {
      const [x0, x1, y0, y1] = [Math.max(a.x0, v.x0), Math.min(a.x1, v.x1), Math.max(a.y0, v.y0), Math.min(a.y1, v.y1)]
      if (x1 < x0 || y1 < y0) continue
      if ((x1 - x0 + 1) * (y1 - y0 + 1) > MAX_TILES) return undefined
      for (let x = x0; x <= x1; x++) for (let y = y0; y <= y1; y++) found.set(`${x}/${y}`, { z, x, y })
      if (found.size > MAX_TILES) return undefined
    }
  }
  return [...found.values()]
}

/** True when a tile shows any of the boxes. */
export function shows({ z, x, y }: TileId, boxes: readonly Bounds[]): boolean {
  return boxes.flatMap(parts).some((b) => {
    const r = range(b, z)
    return x >= r.x0 && x <= r.x1 && y >= r.y0 && y <= r.y1
  })
}
