/** News of changes as the server sends them (`GET /changes`, server-sent events), and many of them made into one step. */
import type { Bounds } from './api'
import { refKey } from './refs'

export interface Change {
  collection: string
  /** The id of its URL. */
  feature: string
  action: 'create' | 'update' | 'delete'
  /** Before and after together; absent where the feature lies nowhere. */
  bbox?: Bounds
  /** Of the state after; absent for one that is gone. */
  etag?: string
}

export type News =
  | { kind: 'change'; change: Change; id: string }
  /** So much changed at once, or the collection itself, that all of it is read anew. */
  | { kind: 'collection'; collection: string; id: string }
  /** What happened meanwhile can't be told. */
  | { kind: 'reset'; id: string }

export const KINDS = ['change', 'collection', 'reset'] as const
const ACTIONS: readonly unknown[] = ['create', 'update', 'delete']

/** What an event says; nothing for one that makes no sense, so that a newer server breaks nothing. */
export function readNews(kind: string, data: string, id: string): News | undefined {
  if (kind === 'reset') return { kind, id }
  const raw = parsed(data)
  const { collection, feature, action, bbox, etag } = raw
  if (typeof collection !== 'string' || collection === '') return undefined
  if (kind === 'collection') return { kind, collection, id }
  if (kind !== 'change' || !ACTIONS.includes(action) || !['string', 'number'].includes(typeof feature)) return undefined
  const change: Change = { collection, feature: String(feature), action: action as Change['action'] }
  if (isBounds(bbox)) change.bbox = bbox
  if (typeof etag === 'string') change.etag = etag
  return { kind, change, id }
}

function parsed(data: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function isBounds(value: unknown): value is Bounds {
  return Array.isArray(value) && value.length === 4 && value.every((v) => typeof v === 'number' && Number.isFinite(v))
}

/** What several news touch together. */
export interface Touched {
  all: boolean
  /** Collections that are read anew whole. */
  whole: Set<string>
  /** The last state of each feature that is named, by `refKey`. */
  features: Map<string, Change>
  boxes: Map<string, Bounds[]>
}

/** Boxes of one collection in one step: more of them cost more than all of its tiles. */
export const MAX_BOXES = 200
const WAIT_MS = 80
/** While changes keep coming, the map is drawn anew only so often. */
const BUSY_MS = 300

/** Gathers news for a moment and hands them on as one step. */
export class Gathering {
  private touched = empty()
  private timer: ReturnType<typeof setTimeout> | undefined
  private flushed = -Infinity
  private paused = false

  constructor(private readonly flush: (touched: Touched) => void) {}

  add(news: News): void {
    const t = this.touched
    if (news.kind === 'reset') t.all = true
    else if (news.kind === 'collection') {
      t.whole.add(news.collection)
      t.boxes.delete(news.collection)
    } else addChange(t, news.change)
    if (this.paused) return
    this.timer ??= setTimeout(() => this.now(), performance.now() - this.flushed < BUSY_MS ? BUSY_MS : WAIT_MS)
  }

  /** A page that nobody sees asks for nothing; what it missed is done when it is seen again. */
  pause(): void {
    this.paused = true
    clearTimeout(this.timer)
    this.timer = undefined
  }
  resume(): void {
    this.paused = false
    if (!isEmpty(this.touched)) this.now()
  }
  end(): void {
    this.pause()
    this.touched = empty()
  }

  private now(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flushed = performance.now()
    const touched = this.touched
    this.touched = empty()
    this.flush(touched)
  }
}

function empty(): Touched {
  return { all: false, whole: new Set(), features: new Map(), boxes: new Map() }
}
function isEmpty(t: Touched): boolean {
  return !t.all && t.whole.size === 0 && t.features.size === 0
}

function addChange(t: Touched, change: Change): void {
  const { collection, feature, bbox } = change
  if (t.whole.has(collection)) return
  t.features.set(refKey({ collection, id: feature }), change)
  if (!bbox) return
  const boxes = t.boxes.get(collection) ?? []
  boxes.push(bbox)
  t.boxes.set(collection, boxes)
  if (boxes.length > MAX_BOXES) {
    t.whole.add(collection)
    t.boxes.delete(collection)
  }
}
