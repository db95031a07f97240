/** Unfinished edits, kept so that a closed window loses nothing. One draft for a feature, and one new feature for a collection. */
import type { Position } from 'geojson'
import type { View } from '../lib/permalink'
import type { BorderStep } from './border'
import type { Content } from './changes'
import type { Shape } from './draw'
import { isClosed, isEditable, partsOf, type Editable } from './geometry'
import { refuse, type Outcome } from './outcome'

export const VERSION = 1
/** A draft much larger than any feature is none of ours. */
const MAX_TEXT = 20_000_000

export interface Draft {
  collection: string
  /** Absent: a feature that the server does not have yet. */
  feature?: string
  /** Of the answer that the edit began from: it tells whether somebody else has changed the feature since. */
  etag?: string
  /** Absent: not changed. */
  geometry?: Editable
  /** Only those that changed; null unsets. */
  properties: Record<string, unknown>
  drawing?: { shape: Shape; positions: Position[]; part?: number }
  /** The feature as the edit found it: without it nobody can tell later who changed what. */
  base?: Content
  /** What was done to borders that neighbours have too. */
  steps?: readonly BorderStep[]
  /** Ids of the parcels that are being made one with this one. */
  merge?: readonly string[]
  /** The request whose outcome is not known: the same one goes out again under the same key. */
  sending?: { key: string; of: string }
  reason?: string
  view?: View
  /** Milliseconds since 1970. */
  savedAt: number
}

export function toJson(draft: Draft): string {
  return JSON.stringify({ version: VERSION, ...draft })
}

/** Nothing for text that is not a draft of this version in every member: half a draft could damage a feature. */
export function fromJson(text: string): Draft | null {
  if (text.length > MAX_TEXT) return null
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return null
  }
  return isDraft(raw) ? read(raw) : null
}

function read({ collection, feature, etag, geometry, properties, drawing, base, steps, merge, sending, reason, view, savedAt }: Draft): Draft {
  return {
    collection,
    ...(feature !== undefined && { feature }),
    ...(etag !== undefined && { etag }),
    ...(geometry !== undefined && { geometry }),
    properties,
    ...(drawing !== undefined && { drawing }),
    ...(base !== undefined && { base }),
    ...(steps !== undefined && { steps }),
    ...(merge !== undefined && { merge }),
    ...(sending !== undefined && { sending }),
    ...(reason !== undefined && { reason }),
    ...(view !== undefined && { view }),
    savedAt,
  }
}

function isDraft(raw: unknown): raw is Draft & { version: number } {
  if (!isObject(raw)) return false
  const { version, collection, feature, etag, geometry, properties, drawing, base, steps, merge, sending, reason, view, savedAt } = raw
  return (
    version === VERSION && isName(collection) && optional(feature, isName) && optional(etag, isName) && optional(geometry, isGeometry) &&
    isObject(properties) && optional(drawing, isDrawing) && optional(base, isContent) && optional(steps, (x) => isList(x, isStep)) &&
    optional(merge, (x) => isList(x, isName)) && optional(sending, isSending) && optional(reason, (x) => typeof x === 'string') &&
    optional(view, isView) && isFiniteNumber(savedAt)
  )
}

const optional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value)
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isName = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isFiniteNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isList = (value: unknown, of: (value: unknown) => boolean, least = 0): value is unknown[] => Array.isArray(value) && value.length >= least && value.every(of)

function isPosition(value: unknown): value is Position {
  return isList(value, isFiniteNumber, 2) && Math.abs(value[0] as number) <= 180 && Math.abs(value[1] as number) <= 90
}

/** Lists in lists, down to positions. */
const DEPTH: Record<Editable['type'], number> = { Point: 0, MultiPoint: 1, LineString: 1, MultiLineString: 2, Polygon: 2, MultiPolygon: 3 }

function isGeometry(value: unknown): boolean {
  if (!isObject(value) || typeof value.type !== 'string' || !Object.hasOwn(DEPTH, value.type)) return false
  const type = value.type as Editable['type']
  const nested = (x: unknown, depth: number): boolean => (depth === 0 ? isPosition(x) : isList(x, (y) => nested(y, depth - 1), 1))
  if (!nested(value.coordinates, DEPTH[type])) return false
  const geometry = value as unknown as Editable
  const fewest = type.endsWith('Polygon') ? 4 : type.endsWith('LineString') ? 2 : 1
  return isEditable(geometry) && partsOf(geometry).every((part) => part.every((line) => line.length >= fewest && (fewest < 4 || isClosed(line))))
}

const SHAPES: readonly unknown[] = ['point', 'line', 'polygon', 'hole', 'cut'] satisfies Shape[]

function isDrawing(value: unknown): boolean {
  return isObject(value) && SHAPES.includes(value.shape) && isList(value.positions, isPosition) && optional(value.part, (part) => Number.isInteger(part) && (part as number) >= 0)
}

/** The geometry as the server gave it may be wrong or of a kind that is not edited here: it is only compared. */
function isContent(value: unknown): boolean {
  const named = (x: unknown) => x === null || (isObject(x) && typeof x.type === 'string')
  return isObject(value) && named(value.geometry) && (value.properties === null || isObject(value.properties))
}

function isStep(value: unknown): boolean {
  if (!isObject(value)) return false
  if (value.did === 'move') return isPosition(value.from) && isPosition(value.to)
  if (value.did === 'remove') return isPosition(value.at)
  return value.did === 'insert' && isPosition(value.at) && isPosition(value.from) && isPosition(value.to)
}

function isSending(value: unknown): boolean {
  return isObject(value) && isName(value.key) && isName(value.of)
}

function isView(value: unknown): boolean {
  return isObject(value) && isPosition(value.center) && isFiniteNumber(value.zoom)
}

// ---- where they are kept ----

/** What `localStorage`, IndexedDB and a Map can do alike. */
export interface DraftStore {
  keys(): Promise<string[]>
  read(key: string): Promise<string | null>
  write(key: string, text: string): Promise<void>
  remove(key: string): Promise<void>
}

const PREFIX = 'hromada.draft/'

/** An id is never empty, so that no id is taken for a new feature. */
function keyOf(collection: string, feature: string | undefined): string {
  return `${PREFIX}${encodeURIComponent(collection)}/${encodeURIComponent(feature ?? '')}`
}

/** In the place of the draft that the feature had. Storage can be full or switched off: then it is refused, and editing goes on. */
export async function keep(store: DraftStore, draft: Draft): Promise<Outcome<Draft>> {
  try {
    await store.write(keyOf(draft.collection, draft.feature), toJson(draft))
    return draft
  } catch {
    return refuse('editing.draft-not-kept')
  }
}

/** The draft of a feature, or of the new feature of a collection. */
export async function find(store: DraftStore, collection: string, feature?: string): Promise<Draft | null> {
  return readAt(store, keyOf(collection, feature))
}

/** All drafts, the newest first; what cannot be read is passed over. */
export async function list(store: DraftStore): Promise<Draft[]> {
  const keys = (await store.keys().catch(() => [])).filter((key) => key.startsWith(PREFIX))
  const drafts = await Promise.all(keys.map((key) => readAt(store, key)))
  return drafts.filter((draft) => draft !== null).sort((a, b) => b.savedAt - a.savedAt)
}

export async function forget(store: DraftStore, collection: string, feature?: string): Promise<void> {
  await store.remove(keyOf(collection, feature)).catch(() => undefined)
}

async function readAt(store: DraftStore, key: string): Promise<Draft | null> {
  const text = await store.read(key).catch(() => null)
  const draft = text === null ? null : fromJson(text)
  // A draft under another name than its own would be shown for one feature and forgotten for another.
  return draft && keyOf(draft.collection, draft.feature) === key ? draft : null
}

/** For `localStorage`. */
export function webStore(storage: Storage): DraftStore {
  return {
    keys: async () => Array.from({ length: storage.length }, (_, i) => storage.key(i)!),
    read: async (key) => storage.getItem(key),
    write: async (key, text) => storage.setItem(key, text),
    remove: async (key) => storage.removeItem(key),
  }
}
