/** Reads coordinates that people type or paste: decimal degrees (with decimal comma too), degrees-minutes-seconds, map links. */

/** [longitude, latitude] in degrees. */
export type LonLat = [number, number]
/** West, south, east, north in degrees. */
type Box = readonly [number, number, number, number]

type Mark = 'lat' | 'lon' | 'south' | 'west'
const LETTERS: Record<string, Mark> = {
  n: 'lat', s: 'south', e: 'lon', w: 'west',
  // Ukrainian: північ, південь, схід, захід; latitude is "пн. ш.", longitude "сх. д.".
  'пн': 'lat', 'пд': 'south', 'сх': 'lon', 'зх': 'west', 'зах': 'west',
}
const LETTER = 'n|s|e|w|пн|пд|сх|зх|зах'

/** A pair of values in the order of the text; a mark says which is which. */
interface Pair {
  first: number
  firstMark?: Mark | undefined
  second: number
  secondMark?: Mark | undefined
}

/**
 * Reads a pair of coordinates, or nothing when the text is something else. Without letters the first number is the
 * latitude, as maps and people write it, unless only the other order is possible or only it lies in one of `boxes`.
 */
export function parseCoordinates(text: string, boxes: readonly Box[] = []): LonLat | undefined {
  return readCoordinates(text, boxes)[0]
}

/** All readings of a pair, the likely one first: two when only the swapped order lies in one of `boxes`. */
export function readCoordinates(text: string, boxes: readonly Box[] = []): LonLat[] {
  if (text.length > 2000) return []
  const pair = parseLink(text.trim()) ?? parsePair(text)
  if (!pair) return []
  const plain = place(pair, false)
  const marked = pair.firstMark !== undefined || pair.secondMark !== undefined
  const swapped = marked ? undefined : place(pair, true)
  if (!plain) return swapped ? [swapped] : []
  const known = (at: LonLat) => boxes.some(([w, s, e, n]) => at[0] >= w && at[0] <= e && at[1] >= s && at[1] <= n)
  return swapped && !known(plain) && known(swapped) ? [swapped, plain] : [plain]
}

function parsePair(text: string): Pair | undefined {
  const cleaned = text
    .trim()
    .toLowerCase()
    .replaceAll('\u2212', '-')
    .replace(/[()[\]{}]/g, ' ')
    .replace(/(?:широта|шир\.?|latitude|lat\.?)(?![a-zа-яіїєґ])\s*[:=]?/gu, ' n ')
    .replace(/(?:довгота|довг\.?|longitude|long?\.?|lng\.?)(?![a-zа-яіїєґ])\s*[:=]?/gu, ' e ')
    .replace(/(пн|пд|сх|зх|зах)\.? ?(ш|д)\.?/g, '$1 ')
    .replace(/\s+/g, ' ')
    .trim()
  if (cleaned.length === 0 || cleaned.length > 100) return undefined
  if (/[^\d\s.,;:°º'′’ʼ"″”+\-nsewпндсхза/]/u.test(cleaned)) return undefined
  return parseDegrees(cleaned) ?? parseDecimal(cleaned) ?? parseLettered(cleaned) ?? parseSpaced(cleaned)
}

/** Splits `a, b` where the comma may be the decimal mark, the separator or both. */
function parseDecimal(text: string): Pair | undefined {
  const found =
    /^([+-]?\d{1,3}(?:\.\d+)?)(?:\s*[,;/]\s*|\s+)([+-]?\d{1,3}(?:\.\d+)?)$/.exec(text) ??
    /^([+-]?\d{1,3},\d+)(?:\s*[;/]\s*|,\s*|\s+)([+-]?\d{1,3},\d+)$/.exec(text)
  return found ? { first: number(found[1]!), second: number(found[2]!) } : undefined
}

const DECIMAL = String.raw`([+-]?\d{1,3}(?:[.,]\d+)?)`
const BEFORE = new RegExp(`^(${LETTER})\\.? ?${DECIMAL}\\s*[,;/]?\\s*(${LETTER})\\.? ?${DECIMAL}$`, 'u')
const AFTER = new RegExp(`^${DECIMAL} ?(${LETTER})\\.?\\s*[,;/]?\\s*${DECIMAL} ?(${LETTER})\\.?$`, 'u')

/** `48.92 N 24.71 E`, `N48.92 E24.71`: decimal degrees without their sign. */
function parseLettered(text: string): Pair | undefined {
  const before = BEFORE.exec(text)
  if (before) return { first: number(before[2]!), firstMark: LETTERS[before[1]!], second: number(before[4]!), secondMark: LETTERS[before[3]!] }
  const after = AFTER.exec(text)
  if (after) return { first: number(after[1]!), firstMark: LETTERS[after[2]!], second: number(after[3]!), secondMark: LETTERS[after[4]!] }
  return undefined
}

const SPACED = String.raw`([+-]?\d{1,3})[ :](\d{1,2})[ :](\d{1,2}(?:[.,]\d+)?)`
const SEXAGESIMAL = new RegExp(`^(${LETTER})?\\.? ?${SPACED} ?(${LETTER})?\\.?[ ,;/]+(${LETTER})?\\.? ?${SPACED} ?(${LETTER})?\\.?$`, 'u')

/** `48 55 24.6 24 42 58.7`: degrees, minutes and seconds without their signs. */
function parseSpaced(text: string): Pair | undefined {
  const m = SEXAGESIMAL.exec(text)
  if (!m) return undefined
  const first = sexagesimal(m[2]!, m[3], m[4])
  const second = sexagesimal(m[7]!, m[8], m[9])
  if (first === undefined || second === undefined) return undefined
  return { first, firstMark: LETTERS[m[1] ?? m[5] ?? ''], second, secondMark: LETTERS[m[6] ?? m[10] ?? ''] }
}

const DMS = new RegExp(`(${LETTER})?\\.? ?([+-]?\\d{1,3}(?:[.,]\\d+)?)[°º] ?(?:(\\d{1,2}(?:[.,]\\d+)?)['′’ʼ] ?)?(?:(\\d{1,2}(?:[.,]\\d+)?)(?:["″”]|''|′′) ?)?(${LETTER})?\\.?`, 'gu')

function parseDegrees(text: string): Pair | undefined {
  if (!/[°º]/.test(text)) return undefined
  const found = [...text.matchAll(DMS)]
  const rest = text.replace(DMS, '').replace(/[\s,;/.]/g, '')
  if (found.length !== 2 || rest !== '') return undefined
  const values = found.map((m) => ({ value: sexagesimal(m[2]!, m[3], m[4]), mark: LETTERS[m[1] ?? m[5] ?? ''] }))
  const [first, second] = values
  if (first?.value === undefined || second?.value === undefined) return undefined
  return { first: first.value, firstMark: first.mark, second: second.value, secondMark: second.mark }
}

function sexagesimal(degrees: string, minutes = '0', seconds = '0'): number | undefined {
  const [m, s] = [number(minutes), number(seconds)]
  if (m >= 60 || s >= 60) return undefined
  const size = Math.abs(number(degrees)) + m / 60 + s / 3600
  return degrees.startsWith('-') ? -size : size
}

const SIGNED = String.raw`(-?\d{1,3}(?:\.\d+)?)`
/** Latitude first in each of these. */
const IN_LINK = [
  // RFC 5870.
  new RegExp(`^geo:${SIGNED},${SIGNED}`, 'i'),
  new RegExp(`@${SIGNED},${SIGNED}(?:,|$)`),
  new RegExp(`[#&?]map=\\d+(?:\\.\\d+)?/${SIGNED}/${SIGNED}`),
  new RegExp(`[?&]mlat=${SIGNED}&mlon=${SIGNED}`),
  new RegExp(`[?&](?:q|query|ll|center|daddr)=(?:loc:)?${SIGNED}(?:,|%2C)\\+?${SIGNED}`, 'i'),
]

/** A `geo:` address or a link to a widespread map. */
function parseLink(text: string): Pair | undefined {
  if (!/^(?:geo:|https?:\/\/)/i.test(text)) return undefined
  for (const form of IN_LINK) {
    const found = form.exec(text)
    if (found) return { first: Number(found[1]), firstMark: 'lat', second: Number(found[2]), secondMark: 'lon' }
  }
  return undefined
}

function place({ first, firstMark, second, secondMark }: Pair, swap: boolean): LonLat | undefined {
  const signed = (value: number, mark: Mark | undefined) => (mark === 'south' || mark === 'west' ? -value : value)
  const isLon = (mark: Mark | undefined) => mark === 'lon' || mark === 'west'
  if (firstMark && secondMark && isLon(firstMark) === isLon(secondMark)) return undefined
  const swapped = swap || isLon(firstMark) || (secondMark !== undefined && !isLon(secondMark))
  const [a, b] = [signed(first, firstMark), signed(second, secondMark)]
  const [lat, lon] = swapped ? [b, a] : [a, b]
  if (!(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180)) return undefined
  return [lon, lat]
}

function number(text: string): number {
  return Number(text.replace(',', '.'))
}

/** `48.92000, 24.71000`: latitude first, a metre of precision. */
export function formatCoordinates([lon, lat]: readonly [number, number], digits = 5): string {
  return `${lat.toFixed(digits)}, ${lon.toFixed(digits)}`
}
