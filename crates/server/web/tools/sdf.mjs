// Exact signed distance fields from outlines: no rasteriser, so the result is the same on every machine.
//
// Units: outlines are in output pixels, y down. Bytes follow the convention of MapLibre's glyphs and SDF sprites:
// the outline lies at 192 (0.75), one pixel of distance is 255 / RADIUS, outside is darker.

/** Distance in pixels over which the field goes from full to empty; twice that for images of double density. */
const RADIUS = 8
/** Part of the range that lies outside the outline. */
const CUTOFF = 0.25
/** Straight pieces a curve is cut into; at 24 px an em, the error stays below 1/100 px. */
const CURVE_STEPS = 8

/**
 * @param {{type: string, x?: number, y?: number, x1?: number, y1?: number, x2?: number, y2?: number}[]} commands
 * @returns {number[][]} segments [x1, y1, x2, y2]; open contours are closed
 */
export function segments(commands) {
  const out = []
  let x = 0, y = 0, startX = 0, startY = 0
  const line = (toX, toY) => {
    if (toX !== x || toY !== y) out.push([x, y, toX, toY])
    x = toX
    y = toY
  }
  for (const c of commands) {
    if (c.type === 'M') {
      line(startX, startY)
      x = startX = c.x
      y = startY = c.y
    } else if (c.type === 'L') line(c.x, c.y)
    else if (c.type === 'Q') {
      const [x0, y0] = [x, y]
      for (let i = 1; i <= CURVE_STEPS; i++) {
        const t = i / CURVE_STEPS, u = 1 - t
        line(u * u * x0 + 2 * u * t * c.x1 + t * t * c.x, u * u * y0 + 2 * u * t * c.y1 + t * t * c.y)
      }
    } else if (c.type === 'C') {
      const [x0, y0] = [x, y]
      for (let i = 1; i <= CURVE_STEPS; i++) {
        const t = i / CURVE_STEPS, u = 1 - t
        line(
          u ** 3 * x0 + 3 * u * u * t * c.x1 + 3 * u * t * t * c.x2 + t ** 3 * c.x,
          u ** 3 * y0 + 3 * u * u * t * c.y1 + 3 * u * t * t * c.y2 + t ** 3 * c.y,
        )
      }
    } else if (c.type === 'Z') line(startX, startY)
  }
  line(startX, startY)
  return out
}

/**
 * Field of `width` × `height` pixels whose top left corner lies at (left, top).
 * @param {number[][]} edges
 */
export function field(edges, left, top, width, height, density = 1) {
  const out = new Uint8Array(width * height)
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const px = left + col + 0.5, py = top + row + 0.5
      const d = distance(edges, px, py) * (inside(edges, px, py) ? -1 : 1)
      out[row * width + col] = Math.max(0, Math.min(255, Math.round(255 - 255 * (d / (RADIUS * density) + CUTOFF))))
    }
  }
  return out
}

function distance(edges, px, py) {
  let best = Infinity
  for (const [x1, y1, x2, y2] of edges) {
    const dx = x2 - x1, dy = y2 - y1
    const t = Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy)))
    const ex = px - x1 - t * dx, ey = py - y1 - t * dy
    best = Math.min(best, ex * ex + ey * ey)
  }
  return Math.sqrt(best)
}

/** Non-zero winding, as TrueType and SVG fill. */
function inside(edges, px, py) {
  let winding = 0
  for (const [x1, y1, x2, y2] of edges) {
    if (y1 <= py === y2 <= py) continue
    const x = x1 + ((py - y1) / (y2 - y1)) * (x2 - x1)
    if (x > px) winding += y2 > y1 ? 1 : -1
  }
  return winding !== 0
}
