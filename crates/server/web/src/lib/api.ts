/** What the server answers, and how to ask it. */
import type { Feature, FeatureCollection } from 'geojson'
import type { Lang } from './i18n'

export type ThemeId = 'cadastre' | 'zoning' | 'networks' | 'addresses' | 'transport' | 'boundaries' | 'other'
/** West, south, east, north in degrees. */
export type Bounds = [number, number, number, number]

export interface Collection {
  id: string
  title: string
  description?: string
  attribution?: string
  license?: string
  itemCount: number
  geometryType: string
  theme: ThemeId
  labelProperty?: string
  bbox?: Bounds
  /** For whoever may see what features were: the first moment that is known of, RFC 3339. Null: closed to this reader; absent: the server does not tell. */
  history?: { from?: string } | null
  tiles: { minzoom: number; maxzoom: number }
}

export interface Property {
  name: string
  title: string
  type: string
  format?: string
  unit?: string
  role?: string
  values?: Map<string, string>
}

export interface Hit {
  collection: string
  id: string
  label: string
  property: string
  value: string
  bbox: Bounds
}

/** What the server answered to instead, where the words as typed found nothing. */
export interface Understood {
  as: string
  by: 'layout' | 'transliteration' | 'spelling' | 'without-number'
}

export interface Found {
  hits: Hit[]
  more: boolean
  understood?: Understood
}

/** A failed request, with the sentence that the server wrote for people. */
export class RequestError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail)
  }
}

/** The parameter that asks for what was there on a day. */
export function onDay(asOf: string | undefined): string {
  return asOf ? `&as-of=${asOf}` : ''
}

export async function get(path: string, lang: Lang, accept: string, signal?: AbortSignal): Promise<unknown> {
  return (await ask(path, lang, accept, signal)).json()
}

async function ask(path: string, lang: Lang, accept: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(path, { headers: { Accept: accept, 'Accept-Language': lang }, signal: signal ?? null })
  if (response.ok) return response
  const problem = (await response.json().catch(() => ({}))) as { detail?: unknown; title?: unknown }
  throw new RequestError(response.status, String(problem.detail ?? problem.title ?? response.statusText))
}

export async function fetchCollections(lang: Lang, signal?: AbortSignal): Promise<Collection[]> {
  const body = (await get('/collections?f=json', lang, 'application/json', signal)) as { collections?: RawCollection[] }
  return (body.collections ?? []).map(readCollection)
}

export async function fetchCollection(id: string, lang: Lang): Promise<Collection> {
  return readCollection((await get(`${collectionPath(id)}?f=json`, lang, 'application/json')) as RawCollection)
}

interface RawCollection extends Partial<Omit<Collection, 'bbox'>> {
  extent?: { spatial?: { bbox?: number[][] } }
}

const THEMES: readonly string[] = ['cadastre', 'zoning', 'networks', 'addresses', 'transport', 'boundaries', 'other']

export function readCollection(raw: RawCollection): Collection {
  const id = String(raw.id ?? '')
  const box = raw.extent?.spatial?.bbox?.[0]
  const collection: Collection = {
    id,
    title: raw.title || id,
    itemCount: Number(raw.itemCount ?? 0),
    geometryType: String(raw.geometryType ?? 'geometry').toLowerCase(),
    theme: THEMES.includes(raw.theme ?? '') ? (raw.theme as ThemeId) : 'other',
    tiles: { minzoom: clampZoom(raw.tiles?.minzoom, 0), maxzoom: clampZoom(raw.tiles?.maxzoom, 14) },
  }
  if (raw.description) collection.description = raw.description
  if (raw.attribution) collection.attribution = raw.attribution
  if (raw.license) collection.license = raw.license
  if (raw.history !== undefined) collection.history = raw.history && (typeof raw.history.from === 'string' ? { from: raw.history.from } : {})
  if (raw.labelProperty) collection.labelProperty = raw.labelProperty
  if (box) {
    // A box with heights has six numbers (OGC 17-069r4 §7.13.2): the second half is the upper corner.
    const flat = box.length === 6 ? [box[0], box[1], box[3], box[4]] : box
    if (flat.length === 4 && flat.every((v) => Number.isFinite(v))) collection.bbox = flat as Bounds
  }
  return collection
}

function clampZoom(value: unknown, fallback: number): number {
  const zoom = Number(value ?? fallback)
  return Number.isFinite(zoom) ? Math.max(0, Math.min(24, Math.floor(zoom))) : fallback
}

interface RawProperty {
  title?: string
  type?: string | string[]
  format?: string
  /** Known values; the last, without `const`, stands for all others. */
  anyOf?: { const?: unknown; title?: string; type?: string }[]
  'x-ogc-unit'?: string
  'x-ogc-role'?: string
  'x-ogc-propertySeq'?: number
}

export async function fetchSchema(id: string, lang: Lang): Promise<Property[]> {
  const body = (await get(`${collectionPath(id)}/schema`, lang, 'application/schema+json, application/json')) as {
    properties?: Record<string, RawProperty>
  }
  return readSchema(body.properties ?? {})
}

export function readSchema(properties: Record<string, RawProperty>): Property[] {
  return Object.entries(properties)
    .filter(([, p]) => !(p['x-ogc-role'] ?? '').includes('geometry'))
    .sort(([, a], [, b]) => (a['x-ogc-propertySeq'] ?? 1e6) - (b['x-ogc-propertySeq'] ?? 1e6))
    .map(([name, p]) => {
      const property: Property = { name, title: p.title || name, type: [p.type ?? 'string'].flat().find((t) => t !== 'null') ?? 'string' }
      if (p.format) property.format = p.format
      if (p['x-ogc-unit']) property.unit = p['x-ogc-unit']
      if (p['x-ogc-role']) property.role = p['x-ogc-role']
      if (p.anyOf) property.values = new Map(p.anyOf.filter((v) => v.const !== undefined).map((v) => [String(v.const), v.title || String(v.const)]))
      return property
    })
}

/** `asOf` is a day: the feature as it was at its end. */
export async function fetchTagged(collection: string, id: string, lang: Lang, asOf?: string): Promise<{ feature: Feature; etag: string | undefined }> {
  const response = await ask(`${featurePath(collection, id)}?f=json${onDay(asOf)}`, lang, 'application/geo+json, application/json')
  return { feature: (await response.json()) as Feature, etag: response.headers.get('etag') ?? undefined }
}

export async function fetchItems(collection: string, bounds: Bounds, limit: number, lang: Lang, asOf?: string): Promise<FeatureCollection & { numberMatched?: number }> {
  const path = `${collectionPath(collection)}/items?f=json&bbox=${bounds.join(',')}&limit=${limit}${onDay(asOf)}`
  return (await get(path, lang, 'application/geo+json, application/json')) as FeatureCollection & { numberMatched?: number }
}

export async function search(text: string, lang: Lang, signal: AbortSignal): Promise<Found> {
  const body = (await get(`/search?q=${encodeURIComponent(text)}&limit=20`, lang, 'application/json', signal)) as Partial<Found>
  const found: Found = { hits: body.hits ?? [], more: body.more ?? false }
  if (typeof body.understood?.as === 'string') found.understood = body.understood
  return found
}

export function collectionPath(id: string): string {
  return `/collections/${encodeURIComponent(id)}`
}

/** Path of a feature: its own page in a browser, GeoJSON with `?f=json`. */
export function featurePath(collection: string, id: string): string {
  return `${collectionPath(collection)}/items/${encodeURIComponent(id)}`
}
