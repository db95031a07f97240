/** Values of properties as people read them. */
import type { Feature } from 'geojson'
import type { Property } from './api'
import { formatDate, formatNumber, translate, unitName, type Lang } from './i18n'

export interface Row {
  name: string
  title: string
  text: string
  /** Only http(s) addresses become links. */
  href?: string
}

/** Square metres of one unit, by its code in UCUM. */
const AREA_UNITS: Record<string, number> = { m2: 1, har: 10_000, '[ft_i]2': 0.3048 ** 2, km2: 1_000_000, '[acr_us]': 4046.872609874252 }

/** Filled properties in the schema's order, then those that the schema does not know. */
export function rowsOf(feature: Feature, schema: readonly Property[], lang: Lang): Row[] {
  const values: Record<string, unknown> = feature.properties ?? {}
  const known = new Set(schema.map((p) => p.name))
  const unknown = Object.keys(values).filter((name) => !known.has(name)).map((name): Property => ({ name, title: name, type: 'string' }))
  return [...schema, ...unknown].flatMap((p) => {
    const value = values[p.name]
    if (value === null || value === undefined || value === '') return []
    const row: Row = { name: p.name, title: p.title, text: textOf(value, p, lang) }
    if (typeof value === 'string' && /^https?:\/\/[^\s]+$/i.test(value)) row.href = value
    return [row]
  })
}

export function textOf(value: unknown, p: Property, lang: Lang): string {
  const named = p.values?.get(String(value))
  if (named !== undefined) return named === String(value) ? named : `${named} (${String(value)})`
  if (typeof value === 'boolean') return translate(lang, value ? 'value.true' : 'value.false')
  // Milliseconds since 1970 are how one widespread system exports dates.
  if (typeof value === 'number' && p.unit === 'ms') return formatDate(lang, value)
  if (typeof value === 'string' && (p.format === 'date' || p.format === 'date-time')) return formatDate(lang, value)
  const text = typeof value === 'number' ? numberOf(value, p, lang) : typeof value === 'object' ? JSON.stringify(value) : String(value)
  return p.unit ? `${text} ${unitName(lang, p.unit)}` : text
}

function numberOf(value: number, p: Property, lang: Lang): string {
  // A year or a code is not a quantity: no grouping, no rounding.
  if (!p.unit) return Number.isInteger(value) && Math.abs(value) < 100_000 ? String(value).replace('-', '−') : formatNumber(lang, value)
  return formatNumber(lang, value, Math.abs(value) >= 100 ? 1 : 4)
}

/** The area on record in square metres: the first of `candidates` that the feature has with a unit of area. */
export function registeredArea(feature: Feature, schema: readonly Property[], candidates: readonly string[]): number | undefined {
  for (const name of candidates) {
    const value = feature.properties?.[name]
    const unit = schema.find((p) => p.name === name)?.unit ?? (name.endsWith('_m2') ? 'm2' : undefined)
    const factor = unit ? AREA_UNITS[unit] : undefined
    if (typeof value === 'number' && value > 0 && factor) return value * factor
  }
  return undefined
}
