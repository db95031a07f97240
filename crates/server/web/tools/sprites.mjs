// Draws the map's symbols as signed distance fields, so that one drawing serves every colour, theme and halo.
//
//   node tools/sprites.mjs
//
// Writes assets/sprites/hromada.{json,png} and hromada@2x.{json,png}. All drawings are ours (CC0-1.0).
// Grid: 24 × 24 units, y down; the drawing keeps to 3..21, the rest is room for the halo.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { field, segments } from './sdf.mjs'

const GRID = 24
/** Symbols a row of the sheet. */
const ROW = 8

/** Circle as four cubic arcs; `hole` turns the other way round, so it is cut out of what surrounds it. */
function circle(cx, cy, r, hole = false) {
  const k = r * 0.5522847
  const s = hole ? -1 : 1
  return [
    { type: 'M', x: cx + r, y: cy },
    { type: 'C', x1: cx + r, y1: cy + s * k, x2: cx + k, y2: cy + s * r, x: cx, y: cy + s * r },
    { type: 'C', x1: cx - k, y1: cy + s * r, x2: cx - r, y2: cy + s * k, x: cx - r, y: cy },
    { type: 'C', x1: cx - r, y1: cy - s * k, x2: cx - k, y2: cy - s * r, x: cx, y: cy - s * r },
    { type: 'C', x1: cx + k, y1: cy - s * r, x2: cx + r, y2: cy - s * k, x: cx + r, y: cy },
    { type: 'Z' },
  ]
}
/** Closed polygon, given clockwise on the screen. */
function polygon(...points) {
  return [...points.map(([x, y], i) => ({ type: i ? 'L' : 'M', x, y })), { type: 'Z' }]
}
function rect(x, y, width, height) {
  return polygon([x, y], [x + width, y], [x + width, y + height], [x, y + height])
}
function hole(x, y, width, height) {
  return polygon([x, y], [x, y + height], [x + width, y + height], [x + width, y])
}

/** @type {Record<string, object[]>} */
const SYMBOLS = {
  hydrant: [
    ...rect(9, 7.5, 6, 11), ...circle(12, 7, 3), ...rect(7.5, 7.5, 9, 2), ...rect(6, 11, 12, 3.6),
    ...rect(7, 18, 10, 2.6), ...rect(11, 3, 2, 2.5), ...circle(12, 12.8, 1.5, true),
  ],
  'street-light': [
    ...rect(7, 5, 2.2, 15.5), ...rect(5, 19, 6.2, 2), ...polygon([7, 5], [9, 3], [17, 3], [17, 5.2], [9.5, 5.2], [8, 6.5]),
    ...polygon([13, 5.2], [19, 5.2], [20.5, 9], [11.5, 9]), ...circle(16, 9.6, 2),
  ],
  pole: [...rect(10.8, 3, 2.4, 18), ...rect(4, 5.4, 16, 2.2), ...rect(6, 9.6, 12, 2.2), ...rect(4.4, 3.2, 1.8, 3), ...rect(17.8, 3.2, 1.8, 3)],
  manhole: [...circle(12, 12, 9), ...circle(12, 12, 7, true), ...rect(7, 8, 10, 1.8), ...rect(6, 11.1, 12, 1.8), ...rect(7, 14.2, 10, 1.8)],
  valve: [...polygon([3, 6.5], [12, 12], [3, 17.5]), ...polygon([21, 6.5], [21, 17.5], [12, 12]), ...rect(11, 5, 2, 7), ...rect(8, 3.5, 8, 2.2)],
  transformer: [...circle(12, 8.2, 5.4), ...circle(12, 8.2, 3.4, true), ...circle(12, 15.8, 5.4), ...circle(12, 15.8, 3.4, true)],
  building: [
    ...rect(5, 4, 14, 17), ...hole(8, 7, 2.6, 3), ...hole(13.4, 7, 2.6, 3), ...hole(8, 12, 2.6, 3), ...hole(13.4, 12, 2.6, 3),
    ...hole(10.6, 17, 2.8, 4),
  ],
  pump: [...circle(12, 12, 9), ...circle(12, 12, 7, true), ...polygon([9, 7.2], [17.5, 12], [9, 16.8])],
  well: [...circle(12, 12, 8.5), ...circle(12, 12, 6.3, true), ...circle(12, 12, 3)],
  drop: [
    { type: 'M', x: 12, y: 3 },
    { type: 'C', x1: 15, y1: 7.5, x2: 18, y2: 10.8, x: 18, y: 15 },
    { type: 'C', x1: 18, y1: 18.4, x2: 15.3, y2: 21, x: 12, y: 21 },
    { type: 'C', x1: 8.7, y1: 21, x2: 6, y2: 18.4, x: 6, y: 15 },
    { type: 'C', x1: 6, y1: 10.8, x2: 9, y2: 7.5, x: 12, y: 3 },
    { type: 'Z' },
  ],
  flame: [
    { type: 'M', x: 12.5, y: 3 },
    { type: 'C', x1: 13, y1: 7, x2: 18, y2: 9.5, x: 18, y: 15 },
    { type: 'C', x1: 18, y1: 18.5, x2: 15.4, y2: 21, x: 12, y: 21 },
    { type: 'C', x1: 8.6, y1: 21, x2: 6, y2: 18.5, x: 6, y: 15.2 },
    { type: 'C', x1: 6, y1: 12.6, x2: 7.4, y2: 11, x: 8.6, y: 9.6 },
    { type: 'C', x1: 9, y1: 11, x2: 9.6, y2: 11.6, x: 10.4, y: 12 },
    { type: 'C', x1: 10.2, y1: 8.6, x2: 10.8, y2: 5.4, x: 12.5, y: 3 },
    { type: 'Z' },
  ],
  bolt: [...polygon([13.5, 3], [6, 13.4], [11, 13.4], [9.6, 21], [18, 10], [12.6, 10])],
  arrow: [...polygon([6, 5], [19, 12], [6, 19], [9.4, 12])],
  dot: [...circle(12, 12, 5)],
  square: [...rect(6.5, 6.5, 11, 11)],
  diamond: [...polygon([12, 4.5], [19.5, 12], [12, 19.5], [4.5, 12])],
  triangle: [...polygon([12, 4.5], [20, 18.5], [4, 18.5])],
  tower: [
    ...polygon([11, 3], [13, 3], [17.5, 21], [15.2, 21], [12, 8], [8.8, 21], [6.5, 21]),
    ...rect(6, 6.4, 12, 1.8), ...rect(8, 10.4, 8, 1.7), ...rect(8.3, 15, 7.4, 1.7),
  ],
  tree: [...circle(12, 9, 6), ...circle(8.6, 12, 3.6), ...circle(15.4, 12, 3.6), ...rect(11, 13, 2, 8)],
  place: [...circle(12, 12, 5.5), ...circle(12, 12, 3.2, true), ...circle(12, 12, 1.4)],
}

// The legend draws the same symbols as SVG.
const number = (v) => Number(v.toFixed(2))
const path = (commands) =>
  commands.map((c) => (c.type === 'Z' ? 'Z' : c.type === 'C' ? `C${[c.x1, c.y1, c.x2, c.y2, c.x, c.y].map(number).join(' ')}` : `${c.type}${number(c.x)} ${number(c.y)}`)).join('')
writeFileSync(
  join(dirname(fileURLToPath(import.meta.url)), '../src/style/symbols.ts'),
  `/** Made by tools/sprites.mjs: the symbols of the sprite as paths on a 24 × 24 grid. */\nexport const symbols: Record<string, string> = {\n${Object.entries(SYMBOLS)
    .map(([name, commands]) => `  '${name}': '${path(commands)}',\n`)
    .join('')}}\n`,
)

const out = join(dirname(fileURLToPath(import.meta.url)), '../../assets/sprites')
mkdirSync(out, { recursive: true })
for (const density of [1, 2]) {
  const suffix = density === 1 ? '' : `@${density}x`
  const size = GRID * density
  const names = Object.keys(SYMBOLS).sort()
  const width = size * ROW
  const height = size * Math.ceil(names.length / ROW)
  const alpha = new Uint8Array(width * height)
  const index = {}
  names.forEach((name, i) => {
    const x = (i % ROW) * size, y = Math.floor(i / ROW) * size
    const edges = segments(SYMBOLS[name]).map((e) => e.map((v) => v * density))
    const pixels = field(edges, 0, 0, size, size, density)
    for (let row = 0; row < size; row++) alpha.set(pixels.subarray(row * size, (row + 1) * size), (y + row) * width + x)
    index[name] = { x, y, width: size, height: size, pixelRatio: density, sdf: true }
  })
  writeFileSync(join(out, `hromada${suffix}.json`), JSON.stringify(index, null, 1) + '\n')
  writeFileSync(join(out, `hromada${suffix}.png`), png(width, height, alpha))
  console.log(`hromada${suffix}: ${names.length} symbols, ${width} × ${height}`)
}

/** RGBA PNG (ISO/IEC 15948) that is black with the given alpha. */
function png(width, height, alpha) {
  const rows = Buffer.alloc((width * 4 + 1) * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width * 4 + 1) + 1 + x * 4 + 3] = alpha[y * width + x]
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 6, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}
function crc32(bytes) {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
