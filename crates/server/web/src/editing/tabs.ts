/** Drafts by account and by window: nobody sees another account's, and two windows do not write over each other. */
import { draftPrefix } from '../lib/editing'
import { forget, list, type Draft, type DraftStore } from './draft'

/** Days after which a draft that nobody came back to is dropped: it may hold data about people. */
const KEPT_DAYS = 30

const tabPrefix = (account: string, tab: string) => `${draftPrefix(account)}${encodeURIComponent(tab)}/`

/** The part of a store that one window of one account has. */
export function scoped(store: DraftStore, account: string, tab: string): DraftStore {
  const prefix = tabPrefix(account, tab)
  return {
    keys: async () => (await store.keys()).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
    read: (key) => store.read(prefix + key),
    write: (key, text) => store.write(prefix + key, text),
    remove: (key) => store.remove(prefix + key),
  }
}

export interface Found {
  tab: string
  draft: Draft
}

/** Drafts of all windows of the account, the newest first; those that are too old go. */
export async function everyDraft(store: DraftStore, account: string, now: number): Promise<Found[]> {
  const prefix = draftPrefix(account)
  const keys = (await store.keys().catch(() => [])).filter((key) => key.startsWith(prefix))
  const tabs = [...new Set(keys.map((key) => decodeURIComponent(key.slice(prefix.length).split('/')[0]!)))]
  const found = (await Promise.all(tabs.map(async (tab) => (await list(scoped(store, account, tab))).map((draft) => ({ tab, draft }))))).flat()
  const isOld = ({ draft }: Found) => now - draft.savedAt > KEPT_DAYS * 86_400_000
  for (const { tab, draft } of found.filter(isOld)) await discard(store, account, tab, draft)
  return found.filter((f) => !isOld(f)).sort((a, b) => b.draft.savedAt - a.draft.savedAt)
}

export async function discard(store: DraftStore, account: string, tab: string, { collection, feature }: Pick<Draft, 'collection' | 'feature'>): Promise<void> {
  await forget(scoped(store, account, tab), collection, feature)
}
