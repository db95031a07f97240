/** Hatches, made when the style first asks for them by a name such as `hatch:#7a3fa0`. */
import { rgb } from './colours'

export interface Pattern {
  width: number
  height: number
  data: Uint8ClampedArray
}

const SIZE = 16
const STROKE = 1.5

export function patternName(colour: string): string {
  return `hatch:${colour}`
}

/** Diagonal lines, tileable, at double density (8 px a repeat); undefined for a name that is not ours. */
export function makePattern(name: string): Pattern | undefined {
  const colour = /^hatch:(#[0-9a-f]{6})$/.exec(name)?.[1]
  if (!colour) return undefined
  const [r, g, b] = rgb(colour)
  const data = new Uint8ClampedArray(SIZE * SIZE * 4)
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const along = (x + y) % SIZE
      const off = Math.min(along, SIZE - along) / Math.SQRT2
      const alpha = Math.max(0, Math.min(1, STROKE / 2 + 0.5 - off))
      // MapLibre wants colours multiplied by their alpha only on upload, not here.
      data.set([r, g, b, Math.round(alpha * 200)], (y * SIZE + x) * 4)
    }
  }
  return { width: SIZE, height: SIZE, data }
}
