/** Asking the server for features to edit, and sending what was done to them. What may have happened is an answer, never an exception. */
import type { Feature, FeatureCollection, Geometry } from 'geojson'
import { collectionPath, featurePath, type Bounds } from '../lib/api'
import type { Lang } from '../lib/i18n'
import type { RawSchema, ServerError } from './form'

/** A save that takes longer has an outcome that nobody knows. */
const PATIENCE_MS = 30_000

export interface Request {
  method: 'POST' | 'PATCH' | 'DELETE'
  path: string
  type?: 'application/geo+json' | 'application/merge-patch+json' | 'application/json'
  body?: string
  etag?: string | undefined
}

export type Answer =
  /** `ids` are those of features that an operation made; `count` is the number of changes. */
  | { kind: 'done'; feature?: Feature; etag?: string; ids: string[]; change?: string; count: number }
  /** Somebody else was faster. */
  | { kind: 'conflict' }
  | { kind: 'wrong'; detail: string; errors: ServerError[] }
  | { kind: 'signed-out'; detail: string }
  | { kind: 'refused'; detail: string }
  /** No answer came: it may have been done or not. */
  | { kind: 'unknown' }

/** Keeps requests apart: two with the same text are the same request. */
export function fingerprint({ method, path, body = '' }: Request): string {
  // FNV-1a on 32 bits, twice with different starts: enough to tell an edit from the one after it.
  const text = `${method} ${path} ${body}`
  return [0x811c9dc5, 0x01234567].map((seed) => {
    let hash = seed
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    return (hash >>> 0).toString(16)
  }).join('-')
}

/** A key that nobody else has. `crypto.randomUUID` is for secure pages only. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

export async function send(request: Request, { key, reason, lang }: { key: string; reason?: string | undefined; lang: Lang }): Promise<Answer> {
  const headers: Record<string, string> = { Accept: 'application/geo+json, application/json', 'Accept-Language': lang, 'Idempotency-Key': `"${key}"` }
  if (request.type) headers['Content-Type'] = request.type
  if (request.etag) headers['If-Match'] = request.etag
  // A header has no room for letters beyond Latin-1.
  if (reason?.trim()) headers['Hromada-Reason'] = encodeURIComponent(reason.trim())
  let response: Response
  let body: unknown
  try {
    response = await fetch(request.path, { method: request.method, headers, body: request.body ?? null, signal: AbortSignal.timeout(PATIENCE_MS) })
    const text = await response.text()
    body = /json/.test(response.headers.get('content-type') ?? '') && text ? JSON.parse(text) : undefined
  } catch {
    return { kind: 'unknown' }
  }
  return response.ok ? done(response, body) : failed(response.status, body)
}

interface Report {
  summary?: { totalInserted?: number; totalUpdated?: number; totalDeleted?: number }
  insertResults?: string[]
}

function done(response: Response, body: unknown): Answer {
  const feature = (body as Feature | undefined)?.type === 'Feature' ? (body as Feature) : undefined
  const report = (feature ? {} : (body ?? {})) as Report
  const { totalInserted = 0, totalUpdated = 0, totalDeleted = 0 } = report.summary ?? {}
  const answer: Answer = {
    kind: 'done',
    ids: (report.insertResults ?? []).map((url) => decodeURIComponent(url.slice(url.lastIndexOf('/') + 1))),
    count: Math.max(1, totalInserted + totalUpdated + totalDeleted),
  }
  if (feature) answer.feature = feature
  const [etag, change] = [response.headers.get('etag'), response.headers.get('hromada-change')]
  if (etag) answer.etag = etag
  if (change) answer.change = change
  return answer
}

interface Problem {
  title?: unknown
  detail?: unknown
  key?: unknown
  errors?: { pointer?: unknown; detail?: unknown }[]
}

export function failed(status: number, body: unknown): Answer {
  const problem = (body ?? {}) as Problem
  const detail = String(problem.detail ?? problem.title ?? status)
  if (status === 412) return { kind: 'conflict' }
  if (status === 401) return { kind: 'signed-out', detail }
  if (status === 400 || status === 422) {
    const errors = (problem.errors ?? []).map((e) => ({ pointer: String(e.pointer ?? ''), detail: String(e.detail ?? detail) }))
    return { kind: 'wrong', detail, errors }
  }
  // A proxy that gave up, or a server that is being started again, may have passed the request on.
  if (status >= 500) return { kind: 'unknown' }
  return { kind: 'refused', detail }
}

// ---- requests ----

export function patchRequest(collection: string, id: string, patch: unknown, etag: string | undefined): Request {
  return { method: 'PATCH', path: featurePath(collection, id), type: 'application/merge-patch+json', body: JSON.stringify(patch), etag }
}

export function createRequest(collection: string, geometry: Geometry | null, properties: Record<string, unknown>): Request {
  return { method: 'POST', path: `${collectionPath(collection)}/items`, type: 'application/geo+json', body: JSON.stringify({ type: 'Feature', geometry, properties }) }
}

export function deleteRequest(collection: string, id: string, etag: string | undefined): Request {
  return { method: 'DELETE', path: featurePath(collection, id), etag }
}

/** `tags` of the parcels that must be what they were, by id. */
export function operationRequest(collection: string, operation: object, tags: Record<string, string>): Request {
  const body = Object.keys(tags).length > 0 ? { ...operation, 'if-match': tags } : operation
  return { method: 'POST', path: `${collectionPath(collection)}/operations`, type: 'application/json', body: JSON.stringify(body) }
}

/** Where a collection holds Multi geometries only, a single one goes as one of one part. */
export function asCollectionHas(geometry: Geometry, geometryType: string): Geometry {
  const single = `multi${geometry.type.toLowerCase()}`
  if (single !== geometryType || geometry.type === 'GeometryCollection') return geometry
  return { type: `Multi${geometry.type}`, coordinates: [geometry.coordinates] } as Geometry
}

// ---- reading ----

export interface Fetched {
  feature: Feature
  etag?: string
}

async function read(path: string, lang: Lang): Promise<Response> {
  return fetch(path, { headers: { Accept: 'application/geo+json, application/schema+json, application/json', 'Accept-Language': lang }, cache: 'no-cache', signal: AbortSignal.timeout(PATIENCE_MS) })
}

/** The feature as the server has it now; nothing when it has none. Throws where no answer comes. */
export async function fetchForEditing(collection: string, id: string, lang: Lang): Promise<Fetched | undefined> {
  const response = await read(`${featurePath(collection, id)}?f=json`, lang)
  if (response.status === 404 || response.status === 410) return undefined
  if (!response.ok) throw new Error(String(response.status))
  const feature = (await response.json()) as Feature
  const etag = response.headers.get('etag')
  return etag ? { feature, etag } : { feature }
}

/** Whole geometries of everything in the box, `complete` when none was left out. */
export async function fetchAround(collection: string, bounds: Bounds, limit: number, lang: Lang): Promise<{ features: Feature[]; complete: boolean }> {
  const response = await read(`${collectionPath(collection)}/items?f=json&bbox=${bounds.join(',')}&limit=${limit}`, lang)
  if (!response.ok) throw new Error(String(response.status))
  const { features, numberMatched } = (await response.json()) as FeatureCollection & { numberMatched?: number }
  return { features, complete: (numberMatched ?? features.length) <= features.length }
}

export async function fetchRawSchema(collection: string, lang: Lang): Promise<RawSchema> {
  const response = await read(`${collectionPath(collection)}/schema`, lang)
  if (!response.ok) throw new Error(String(response.status))
  return (await response.json()) as RawSchema
}
