/** A form from the schema of a collection (OGC API Features Part 5, JSON Schema): what each field is, and its text there and back. */
import type { Properties } from './changes'

export type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'date-time' | 'choice'

export interface Field {
  name: string
  title: string
  kind: FieldKind
  /** What a value is in JSON. */
  type: 'string' | 'integer' | 'number' | 'boolean'
  options: { value: string; title: string }[]
  /** Other values than the known ones occur. */
  open: boolean
  required: boolean
  readOnly: boolean
  unit?: string
  description?: string
  min?: number
  max?: number
  maxLength?: number
  pattern?: string
}

/** Why a text is no value of its field: the key of a message, and what it asks for. */
export interface Wrong {
  wrong: 'form.required' | 'form.integer' | 'form.number' | 'form.date' | 'form.min' | 'form.max' | 'form.long' | 'form.pattern'
  args?: Record<string, number | string>
}

interface RawField {
  title?: string
  description?: string
  type?: string | string[]
  format?: string
  readOnly?: boolean
  enum?: unknown[]
  anyOf?: RawOption[]
  oneOf?: RawOption[]
  minimum?: number
  maximum?: number
  maxLength?: number
  pattern?: string
  'x-ogc-unit'?: string
  'x-ogc-role'?: string
  'x-ogc-propertySeq'?: number
}
interface RawOption {
  const?: unknown
  title?: string
}
export interface RawSchema {
  properties?: Record<string, RawField>
  required?: string[]
}

/** The fields in the schema's order. `isNew`: an id may be given to a feature that has none yet. */
export function fieldsOf(schema: RawSchema, isNew: boolean): Field[] {
  return Object.entries(schema.properties ?? {})
    .filter(([, raw]) => !(raw['x-ogc-role'] ?? '').includes('geometry'))
    .sort(([, a], [, b]) => (a['x-ogc-propertySeq'] ?? 1e6) - (b['x-ogc-propertySeq'] ?? 1e6))
    .map(([name, raw]) => fieldOf(name, raw, schema.required?.includes(name) ?? false, isNew))
}

function fieldOf(name: string, raw: RawField, required: boolean, isNew: boolean): Field {
  const type = [raw.type ?? 'string'].flat().find((t) => t !== 'null') ?? 'string'
  const listed = raw.anyOf ?? raw.oneOf
  const known = listed?.filter((option) => option.const !== undefined) ?? raw.enum?.filter((value) => value !== null).map((value): RawOption => ({ const: value }))
  const field: Field = {
    name,
    title: raw.title || name,
    kind: known && known.length > 0 ? 'choice' : type === 'string' ? (raw.format === 'date' || raw.format === 'date-time' ? raw.format : 'text') : kindOf(type),
    type: type === 'integer' || type === 'number' || type === 'boolean' ? type : 'string',
    options: (known ?? []).map((option) => ({ value: String(option.const), title: option.title || String(option.const) })),
    open: listed !== undefined && listed.some((option) => option.const === undefined),
    required,
    // Under its id the feature has its history: it changes by an operation, not by a form.
    readOnly: raw.readOnly === true || (raw['x-ogc-role'] === 'id' && !isNew),
  }
  if (raw['x-ogc-unit']) field.unit = raw['x-ogc-unit']
  if (raw.description) field.description = raw.description
  for (const [to, value] of [['min', raw.minimum], ['max', raw.maximum], ['maxLength', raw.maxLength]] as const) if (typeof value === 'number') field[to] = value
  if (raw.pattern) field.pattern = raw.pattern
  return field
}

function kindOf(type: string): FieldKind {
  return type === 'integer' || type === 'number' || type === 'boolean' ? type : 'text'
}

/** What the field shows of a value. */
export function fieldText(field: Field, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (field.kind === 'date-time' && typeof value === 'string') return localTime(value)
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** In the clock of the reader, as the browser's own control takes it. */
function localTime(value: string): string {
  const at = new Date(value)
  if (Number.isNaN(at.getTime())) return value
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

/** The value of a text; empty unsets. What shows the value that was there is that value: a form rounds nothing. */
export function fieldValue(field: Field, text: string, was: unknown): { value: unknown } | Wrong {
  if (text === fieldText(field, was)) return { value: was ?? null }
  const trimmed = text.trim()
  if (trimmed === '') return field.required ? { wrong: 'form.required' } : { value: null }
  switch (field.type) {
    case 'boolean':
      return { value: trimmed === 'true' }
    case 'integer':
    case 'number':
      return numeric(field, trimmed)
    default:
      return textual(field, text)
  }
}

function numeric(field: Field, text: string): { value: number } | Wrong {
  // As people write numbers: grouped by spaces, with a decimal comma, with a real minus.
  const plain = text.replace(/[\s\u00a0\u202f]/g, '').replace(',', '.').replace('−', '-')
  if (field.type === 'integer' ? !/^[+-]?\d+$/.test(plain) : !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return { wrong: field.type === 'integer' ? 'form.integer' : 'form.number' }
  const value = Number(plain)
  // Beyond it neighbouring whole numbers are one and the same here: what was typed would be sent as another.
  if (field.type === 'integer' && !Number.isSafeInteger(value)) return value > 0 ? { wrong: 'form.max', args: { max: Number.MAX_SAFE_INTEGER } } : { wrong: 'form.min', args: { min: Number.MIN_SAFE_INTEGER } }
  if (field.min !== undefined && value < field.min) return { wrong: 'form.min', args: { min: field.min } }
  if (field.max !== undefined && value > field.max) return { wrong: 'form.max', args: { max: field.max } }
  return { value }
}

function textual(field: Field, text: string): { value: string } | Wrong {
  if (field.kind === 'date' && !/^\d{4,6}-\d{2}-\d{2}$/.test(text)) return { wrong: 'form.date' }
  if (field.kind === 'date-time') {
    const at = new Date(text)
    return Number.isNaN(at.getTime()) ? { wrong: 'form.date' } : { value: at.toISOString().replace('.000Z', 'Z') }
  }
  if (field.maxLength !== undefined && [...text].length > field.maxLength) return { wrong: 'form.long', args: { max: field.maxLength } }
  if (field.pattern !== undefined && !matches(field.pattern, text)) return { wrong: 'form.pattern' }
  return { value: text }
}

/** A pattern that this engine can't read is the server's to check. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch {
    return true
  }
}

/** Required fields that are empty. */
export function missing(fields: readonly Field[], properties: Properties): string[] {
  return fields.filter((f) => f.required && !f.readOnly && (properties[f.name] === null || properties[f.name] === undefined || properties[f.name] === '')).map((f) => f.name)
}

export interface ServerError {
  pointer: string
  detail: string
}

/** Errors of the server by the property that they name (RFC 6901), and those that name none. */
export function byField(errors: readonly ServerError[], within = '/properties/'): { fields: Map<string, string>; rest: string[] } {
  const fields = new Map<string, string>()
  const rest: string[] = []
  for (const { pointer, detail } of errors) {
    const name = pointer.startsWith(within) ? unescaped(pointer.slice(within.length).split('/')[0]!) : ''
    if (name && !fields.has(name)) fields.set(name, detail)
    else if (!name) rest.push(detail)
  }
  return { fields, rest }
}

function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}
