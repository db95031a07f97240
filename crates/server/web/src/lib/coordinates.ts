/** Reads coordinates that people type or paste: decimal degrees (with decimal comma too), degrees-minutes-seconds. */

/** [longitude, latitude] in degrees. */
export type LonLat = [number, number]

const LETTERS: Record<string, 'lat' | 'lon' | 'south' | 'west'> = {
  n: 'lat', s: 'south', e: 'lon', w: 'west',
  // Ukrainian: північ, південь, схід, захід; latitude is "пн. ш.", longitude "сх. д.".
  'пн': 'lat', 'пд': 'south', 'сх': 'lon', 'зх': 'west', 'зах': 'west',
}

/**
 * Reads a pair of coordinates, or nothing when the text is something else. Without letters the first number is the
 * latitude, as maps and people write it, unless only the other order is possible.
 */
export function parseCoordinates(text: string): LonLat | undefined {
  const cleaned = text.trim().toLowerCase().replaceAll('−', '-').replace(/\s+/g, ' ').replace(/(пн|пд|сх|зх|зах)\.? ?(ш|д)\.?/g, '$1 ')
  if (cleaned.length === 0 || cleaned.length > 100) return undefined
  if (/[^\d\s.,;:°º'′’ʼ"″”+\-nsewпндсхза/]/u.test(cleaned)) return undefined
  return parseDegrees(cleaned) ?? parseDecimal(cleaned)
}

function parseDecimal(text: string): LonLat | undefined {
  const parts = decimalParts(text)
  if (!parts) return undefined
  const [first, second] = parts
  return place(first, undefined, second, undefined)
}

/** Splits `a, b` where the comma may be the decimal mark, the separator or both. */
function decimalParts(text: string): [number, number] | undefined {
  const point = /^([+-]?\d{1,3}(?:\.\d+)?)(?:\s*[,;/]\s*|\s+)([+-]?\d{1,3}(?:\.\d+)?)$/.exec(text)
  if (point) return [Number(point[1]), Number(point[2])]
  const comma = /^([+-]?\d{1,3},\d+)(?:\s*[;/]\s*|,\s*|\s+)([+-]?\d{1,3},\d+)$/.exec(text)
  if (comma) return [number(comma[1]!), number(comma[2]!)]
  return undefined
}

const DMS = /([nsew]|пн|пд|сх|зх|зах)?\.? ?([+-]?\d{1,3}(?:[.,]\d+)?)[°º] ?(?:(\d{1,2}(?:[.,]\d+)?)['′’ʼ] ?)?(?:(\d{1,2}(?:[.,]\d+)?)(?:["″”]|''|′′) ?)?([nsew]|пн|пд|сх|зх|зах)?\.?/gu

function parseDegrees(text: string): LonLat | undefined {
  if (!/[°º]/.test(text)) return undefined
  const found = [...text.matchAll(DMS)]
  const rest = text.replace(DMS, '').replace(/[\s,;/.]/g, '')
  if (found.length !== 2 || rest !== '') return undefined
  const values = found.map((m) => {
    const minutes = m[3] ? number(m[3]) : 0
    const seconds = m[4] ? number(m[4]) : 0
    if (minutes >= 60 || seconds >= 60) return undefined
    const degrees = number(m[2]!)
    const size = Math.abs(degrees) + minutes / 60 + seconds / 3600
    return { value: m[2]!.startsWith('-') ? -size : size, letter: m[1] ?? m[5] }
  })
  const [first, second] = values
  if (!first || !second) return undefined
  return place(first.value, first.letter, second.value, second.letter)
}

function place(first: number, firstLetter: string | undefined, second: number, secondLetter: string | undefined): LonLat | undefined {
  const one = firstLetter ? LETTERS[firstLetter] : undefined
  const two = secondLetter ? LETTERS[secondLetter] : undefined
  const signed = (value: number, mark: string | undefined) => (mark === 'south' || mark === 'west' ? -value : value)
  const isLon = (mark: string | undefined) => mark === 'lon' || mark === 'west'
  if (one && two && isLon(one) === isLon(two)) return undefined
  const swapped = isLon(one) || (two !== undefined && !isLon(two))
  const [a, b] = [signed(first, one), signed(second, two)]
  const [lat, lon] = swapped || (!one && !two && Math.abs(a) > 90) ? [b, a] : [a, b]
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
