/** Drafts of this account in this browser, and which windows are open. */
import type { Draft, DraftStore } from '../editing/draft'
import { webStore } from '../editing/draft'
import { newKey } from '../editing/send'
import { discard, everyDraft, scoped, type Found } from '../editing/tabs'

const TAB = 'hromada.tab'
const CHANNEL = 'hromada.edit'
/** Windows of one browser answer within a few milliseconds; one that sleeps may take longer. */
const ANSWER_MS = 200

type Message = { ask: string } | { here: string }

let channel: BroadcastChannel | undefined
let tab = ''

/** The name of this window, which stays when it is loaded again. A window that was duplicated brings its name along: it takes a new one. */
async function thisTab(): Promise<string> {
  if (tab) return tab
  let kept: string | null = null
  try {
    kept = sessionStorage.getItem(TAB)
  } catch {
    // Without storage there are no drafts either.
  }
  const others = await openTabs()
  tab = kept && !others.has(kept) ? kept : newKey().slice(0, 12)
  try {
    sessionStorage.setItem(TAB, tab)
  } catch {
    // As above.
  }
  return tab
}

/** Names of the other windows in which somebody edits. */
async function openTabs(): Promise<Set<string>> {
  const found = new Set<string>()
  if (typeof BroadcastChannel === 'undefined') return found
  if (!channel) {
    channel = new BroadcastChannel(CHANNEL)
    channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
      if ('ask' in data && tab) channel?.postMessage({ here: tab } satisfies Message)
    })
  }
  const listen = ({ data }: MessageEvent<Message>) => 'here' in data && found.add(data.here)
  channel.addEventListener('message', listen)
  channel.postMessage({ ask: tab } satisfies Message)
  await new Promise((resolve) => setTimeout(resolve, ANSWER_MS))
  channel.removeEventListener('message', listen)
  return found
}

export interface Waiting extends Found {
  /** Another window has it in hand. */
  elsewhere: boolean
}

/** All drafts of the account, the newest first. */
export async function waiting(account: string): Promise<Waiting[]> {
  const [own, others] = [await thisTab(), await openTabs()]
  const found = await everyDraft(webStore(localStorage), account, Date.now()).catch(() => [])
  return found.map((f) => ({ ...f, elsewhere: f.tab !== own && others.has(f.tab) }))
}

/** Where this window keeps its drafts. */
export async function ownStore(account: string): Promise<DraftStore> {
  return scoped(webStore(localStorage), account, await thisTab())
}

/** The draft of a window that is closed goes on in this one. */
export async function takeOver(account: string, found: Found): Promise<Draft> {
  if (found.tab !== (await thisTab())) await discard(webStore(localStorage), account, found.tab, found.draft)
  return found.draft
}

export async function drop(account: string, found: Found): Promise<void> {
  await discard(webStore(localStorage), account, found.tab, found.draft)
}
