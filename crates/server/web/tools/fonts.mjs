// Makes the glyph files that the map asks for at /fonts/{fontstack}/{start}-{end}.pbf from TrueType fonts.
//
//   node tools/fonts.mjs [FOLDER WITH NotoSans-*.ttf]     (Debian: package fonts-noto-core)
//
// Format: the glyphs.proto of MapLibre style fonts: 24 px an em, 3 px border, signed distance bytes.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import opentype from 'opentype.js'
import { field, segments } from './sdf.mjs'

const FACES = { Regular: 'NotoSans-Regular.ttf', Bold: 'NotoSans-Bold.ttf', Italic: 'NotoSans-Italic.ttf' }
/** Latin, modifier letters (ʼ U+02BC), Cyrillic, punctuation (’ “ – ₴), letterlike (№): all that Ukrainian and English need. */
const RANGES = [0, 512, 1024, 8192, 8448]
const EM = 24
const BORDER = 3

const here = dirname(fileURLToPath(import.meta.url))
const out = join(here, '../../assets/fonts')
const fonts = process.argv[2] ?? '/usr/share/fonts/truetype/noto'

for (const [face, file] of Object.entries(FACES)) {
  const bytes = readFileSync(join(fonts, file))
  const font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  const name = `Noto Sans ${face}`
  rmSync(join(out, name), { recursive: true, force: true })
  mkdirSync(join(out, name), { recursive: true })
  for (const start of RANGES) {
    const range = `${start}-${start + 255}`
    const glyphs = []
    for (let code = start; code < start + 256; code++) {
      const glyph = makeGlyph(font, code)
      if (glyph) glyphs.push(glyph)
    }
    const stack = Buffer.concat([text(1, name), text(2, range), ...glyphs.map((g) => block(3, g))])
    writeFileSync(join(out, name, `${range}.pbf`), block(1, stack))
    console.log(`${name} ${range}: ${glyphs.length} glyphs`)
  }
}

/** One `glyph` message, or undefined where the font has no such character. */
function makeGlyph(font, code) {
  const glyph = font.charToGlyph(String.fromCodePoint(code))
  if (glyph.index === 0) return undefined
  const scale = EM / font.unitsPerEm
  // MapLibre counts `top` from the ascender line, which is rounded as FreeType does.
  const ascender = Math.round(font.ascender * scale)
  const parts = [number(1, code)]
  const edges = segments(glyph.getPath(0, 0, EM).commands)
  let left = 0, top = 0, width = 0, height = 0
  if (edges.length > 0) {
    const xs = edges.flatMap((e) => [e[0], e[2]])
    const ys = edges.flatMap((e) => [e[1], e[3]])
    left = Math.floor(Math.min(...xs))
    top = Math.floor(Math.min(...ys))
    width = Math.ceil(Math.max(...xs)) - left
    height = Math.ceil(Math.max(...ys)) - top
    parts.push(block(2, Buffer.from(field(edges, left - BORDER, top - BORDER, width + 2 * BORDER, height + 2 * BORDER))))
  }
  parts.push(number(3, width), number(4, height), number(5, zigzag(left)), number(6, zigzag(-top - ascender)))
  parts.push(number(7, Math.round(glyph.advanceWidth * scale)))
  return Buffer.concat(parts)
}

// Protocol Buffers wire format: varint and length-delimited fields are all that is needed.
function varint(value) {
  const bytes = []
  let rest = value >>> 0
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest >>>= 7
  }
  return Buffer.from([...bytes, rest])
}
function number(field, value) {
  return Buffer.concat([varint(field << 3), varint(value)])
}
function block(field, bytes) {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])
}
function text(field, value) {
  return block(field, Buffer.from(value, 'utf8'))
}
function zigzag(value) {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
