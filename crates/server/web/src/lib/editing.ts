/** What the start of the app knows of editing: who may edit what, and how news of changes reach an editor. All else is loaded when it is asked for. */
import { collectionPath, featurePath } from './api'

export interface Me {
  id: string
  name: string
}

export interface Rights {
  create: boolean
  change: boolean
  remove: boolean
  /** Parcels may be divided and joined, and borders moved on both sides. */
  operate: boolean
}

/** Who is signed in; nobody, too, where the server can't tell. */
export async function fetchMe(): Promise<Me | undefined> {
  const response = await fetch('/account/me', { headers: { Accept: 'application/json' } }).catch(() => undefined)
  if (!response?.ok) return undefined
  const body = (await response.json().catch(() => ({}))) as { id?: unknown; name?: unknown }
  return typeof body.id === 'string' ? { id: body.id, name: String(body.name ?? body.id) } : undefined
}

const known = new Map<string, Promise<string>>()

/** `Allow` of a resource says what this account may do with it. */
function allowed(path: string): Promise<string> {
  const asked = known.get(path)
  if (asked) return asked
  const answer = fetch(path, { method: 'OPTIONS' }).then((r) => (r.ok ? (r.headers.get('allow') ?? '') : ''))
  known.set(path, answer)
  answer.catch(() => known.delete(path))
  return answer
}

export async function mayCreate(collection: string): Promise<boolean> {
  return (await allowed(`${collectionPath(collection)}/items`).catch(() => '')).includes('POST')
}

export async function rightsOf(collection: string, id: string): Promise<Rights> {
  const [create, feature, operations] = await Promise.all([
    mayCreate(collection),
    allowed(featurePath(collection, id)).catch(() => ''),
    allowed(`${collectionPath(collection)}/operations`).catch(() => ''),
  ])
  return { create, change: feature.includes('PATCH'), remove: feature.includes('DELETE'), operate: operations.includes('POST') }
}

/** What begins the names of an account's drafts in `localStorage`; `editing/tabs.ts` writes them. */
export function draftPrefix(account: string): string {
  return `hromada.edit/${encodeURIComponent(account)}/`
}

export function hasDrafts(account: string): boolean {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith(draftPrefix(account)))
  } catch {
    // Storage can be switched off: nothing was kept then.
    return false
  }
}

// ---- news of changes ----

/** Own changes kept by their names: news of them come within seconds. */
const MOST = 500
const own = new Set<string>()
let listener: ((collection: string, id: string | undefined) => void) | undefined

export const editing = {
  /** True for a change that this window made: `change` as in the header `Hromada-Change`, `epoch.number`. */
  isOwn(change: string): boolean {
    return own.has(change)
  },
  /** Somebody changed a feature, or anything in a collection. An open editor looks whether it is the one in hand. */
  remoteChange(collection: string, id?: string): void {
    listener?.(collection, id)
  },
  /** A transaction of `count` changes, named by its last. */
  made(change: string, count: number): void {
    const at = change.lastIndexOf('.')
    const last = Number(change.slice(at + 1))
    for (let i = 0; i < count; i++) own.add(`${change.slice(0, at)}.${last - i}`)
    for (const name of own) {
      if (own.size <= MOST) break
      own.delete(name)
    }
  },
  listen(to: typeof listener): void {
    listener = to
  },
}
