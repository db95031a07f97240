/** The history of one feature, as the server tells it. */
import type { Feature, FeatureCollection, Geometry } from 'geojson'
import { featurePath, get } from './api'
import type { Key, Lang } from './i18n'
import type { Ref } from './permalink'

export interface Cause {
  operation: string
  kind?: string
  /** Told to those who work for the town. */
  actor?: string
  reason?: string
}

export interface Version {
  /** Its own in the list: changes may share a moment. */
  key: string
  /** Absent for those who do not see all features, once states were let go: nobody can count any more what they saw. */
  version?: number
  /** RFC 3339. */
  from: string
  until: string | null
  change: Cause
  /** How the feature went, where this state was followed by none. */
  end?: Cause
  /** The state is not known any more. */
  kept?: false
  /** Of the state, where it is kept. */
  href?: string
}
export type Kept = Version & { href: string }

export interface Versions {
  versions: Version[]
  /** Since when all states are kept, RFC 3339, where some were let go. */
  keptSince?: string | undefined
}

export interface Difference {
  from: number
  to: number
  properties: Record<string, { from: unknown; to: unknown }>
  /** Absent where nothing moved. */
  geometry?: { from: Geometry | null; to: Geometry | null }
}

export interface Step {
  kind: string
  at: string
  from: { id: string }
  to: { id: string }
}

/** Parcel in a tree of origins or of successors. */
export interface Node {
  id: string
  /** How it came to the one above it in the tree. */
  kind: string
  at: string
  nodes: Node[]
}

export async function fetchVersions(ref: Ref, lang: Lang): Promise<Versions> {
  const { versions = [], keptSince } = (await get(`${featurePath(ref.collection, ref.id)}/versions`, lang, 'application/json')) as Partial<Versions>
  return { versions: versions.map((v, i) => ({ ...v, key: `${v.from} ${v.version ?? i}` })), keptSince }
}

/** The server may call itself by another name than the reader does: only the path counts. */
export async function fetchVersion({ href }: Kept, lang: Lang): Promise<Feature> {
  return (await get(href.slice(href.indexOf('/collections/')), lang, 'application/geo+json')) as Feature
}

export async function fetchDifference(ref: Ref, from: number, to: number, lang: Lang): Promise<Difference> {
  return (await get(`${featurePath(ref.collection, ref.id)}/versions/${to}?against=${from}`, lang, 'application/json, application/geo+json')) as Difference
}

export async function fetchLineage(ref: Ref, lang: Lang): Promise<Step[]> {
  const body = (await get(`${featurePath(ref.collection, ref.id)}/lineage`, lang, 'application/json')) as { steps?: Step[] }
  return body.steps ?? []
}

export function isKept(version: Version): version is Kept {
  return version.kept !== false
}

/** What a version can be compared with: the server compares by number, and only what it has. */
export function comparable(versions: readonly Version[], version: Version): (Kept & { version: number })[] {
  const isNumbered = (v: Version): v is Kept & { version: number } => isKept(v) && v.version !== undefined
  return isNumbered(version) ? versions.filter(isNumbered).filter((v) => v.version !== version.version) : []
}

/** The number of the last one before, which a version is compared with unless another is asked for. */
export function previous(versions: readonly Version[], version: Version): number | undefined {
  return comparable(versions, version).findLast((v) => v.version < version.version!)?.version
}

const KINDS: Record<string, Key> = {
  import: 'history.import',
  restore: 'history.restored',
  split: 'history.split',
  merge: 'history.merge',
  renumber: 'history.renumber',
  correct: 'history.correct',
}
const OPERATIONS: Record<string, Key> = { create: 'history.create', replace: 'history.replace', delete: 'history.delete' }

/** The text that names what was done. */
export function did(cause: Pick<Cause, 'operation' | 'kind'>): Key {
  return KINDS[cause.kind ?? ''] ?? OPERATIONS[cause.operation] ?? 'history.replace'
}

/** Nodes of a tree at most: a parcel that is on several ways stands on each of them. */
const MAX_NODES = 200

/** What a parcel came of, or what came of it, step by step. A parcel that is already on the way is not gone through again. */
export function treeOf(steps: readonly Step[], id: string, way: 'origins' | 'successors'): Node[] {
  let left = MAX_NODES
  const walk = (at: string, seen: ReadonlySet<string>): Node[] =>
    steps.flatMap((s): Node[] => {
      const [own, other] = way === 'origins' ? [s.to.id, s.from.id] : [s.from.id, s.to.id]
      if (own !== at || seen.has(other) || left-- <= 0) return []
      return [{ id: other, kind: s.kind, at: s.at, nodes: walk(other, new Set([...seen, other])) }]
    })
  return walk(id, new Set([id]))
}

/** What the map shows of a comparison; what did not move is drawn once. */
export function drawingOf(before: Geometry | null | undefined, after: Geometry | null | undefined): FeatureCollection {
  const one = (geometry: Geometry | null | undefined, state: string): Feature[] => (geometry ? [{ type: 'Feature', geometry, properties: { state } }] : [])
  return { type: 'FeatureCollection', features: [...one(after, 'after'), ...one(before, 'before')] }
}
