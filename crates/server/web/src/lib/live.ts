/**
 * The stream of changes, one for all windows of the app: HTTP/1.1 gives a browser six connections to a host, and a stream
 * keeps one for good. The window that holds the lock has the stream and passes on what it hears.
 */
import { KINDS, readNews, type News } from './news'

const NAME = 'hromada.changes'
/** A window that nobody has looked at for so long lets go of the stream. */
export const SLEEP_MS = 60_000
/** Where no lock can be had, each window has a stream of its own, and lets go of it soon. */
export const SLEEP_ALONE_MS = 5_000
/** Layers are switched on and off in quick steps. */
const SETTLE_MS = 120
const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 60_000
/** A server that never had a stream is being started, or is an old one: after this it is asked now and then, in case it was renewed. */
const NEVER_OPEN_MS = [5_000, 30_000, 600_000] as const
/** So many refusals in a row, and it may be the id that is refused: one of another life of the store. */
const REFUSALS = 2
/** A stream that took longer to begin may have missed something that was changed after the map was drawn. */
const SLOW_MS = 500
/** The leader asks so often who is still there. */
const ROLL_CALL_MS = 60_000
/** More names than this make an address too long: all collections are heard of then. */
const MAX_NAMED = 64

type Message =
  | { type: 'news'; news: News }
  | { type: 'want'; tab: string; collections: string[] }
  | { type: 'ask' }
  | { type: 'reopened' }

/** What the browser gives; absent parts are absent there too (locks are for secure pages only). */
export interface Browser {
  locks?: Pick<LockManager, 'request'> | undefined
  channel?: Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'> | undefined
  open: (url: string) => Pick<EventSource, 'addEventListener' | 'close' | 'onopen' | 'onerror'>
  /** From 0 to 1: windows and readers do not come back all at once. */
  random: () => number
}

export interface Listener {
  hear(news: News): void
  /** The stream was ended and is there again: rights may be others. */
  reopened(): void
}

/** One connection, kept up. */
export class Stream {
  /** The id of the last news: where a new connection goes on. */
  last: string | undefined
  /** Something may have happened that nobody heard of; without an id to go on from, all is read anew. */
  missed = false
  private source: ReturnType<Browser['open']> | undefined
  private collections: readonly string[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private failures = 0
  private everOpen = false

  constructor(
    private readonly browser: Browser,
    private readonly listener: Listener,
  ) {}

  /** Hears of these collections from now on. A smaller set needs no new connection. */
  want(collections: readonly string[]): void {
    if (collections.length === 0) return this.close()
    if (this.source && collections.every((c) => this.collections.includes(c))) return
    // A server that does not answer is not asked sooner because a layer was switched on.
    if (!this.source && this.timer && this.failures > 0) {
      this.collections = collections
      return
    }
    this.collections = collections
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.connect(), this.source ? SETTLE_MS : 0)
  }

  close(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.source) this.missed = true
    this.source?.close()
    this.source = undefined
    this.collections = []
    this.failures = 0
  }

  private connect(): void {
    this.timer = undefined
    this.source?.close()
    const source = (this.source = this.browser.open(address(this.collections, this.last)))
    const again = this.failures > 0
    const began = performance.now()
    source.onopen = () => {
      this.everOpen = true
      this.failures = 0
      if ((this.missed || performance.now() - began > SLOW_MS) && !this.last) this.listener.hear({ kind: 'reset', id: '' })
      this.missed = false
      if (again) this.listener.reopened()
    }
    // Where the stream begins, so that a stream that ends before any news can be gone on with.
    source.addEventListener('position', (event) => (this.last = (event as MessageEvent).lastEventId || this.last))
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        const { data, lastEventId } = event as MessageEvent<string>
        const news = readNews(kind, data, lastEventId)
        if (lastEventId) this.last = lastEventId
        if (news) this.listener.hear(news)
      })
    }
    // The browser's own way of connecting again writes a line to the console every three seconds: it is done here, more slowly.
    source.onerror = () => {
      if (source !== this.source) return
      source.close()
      this.source = undefined
      this.missed = this.everOpen
      const patience = this.everOpen ? Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.failures) : NEVER_OPEN_MS[Math.min(this.failures, 2)]!
      if (++this.failures === REFUSALS) {
        if (this.last) this.missed = true
        this.last = undefined
        // Or a collection that is not to be seen any more.
        if (this.everOpen) this.listener.reopened()
      }
      this.timer = setTimeout(() => this.connect(), patience * (1 + this.browser.random() / 2))
    }
  }
}

export function address(collections: readonly string[], since: string | undefined): string {
  const asked = new URLSearchParams()
  if (collections.length <= MAX_NAMED) asked.set('collections', [...collections].sort().join(','))
  if (since) asked.set('since', since)
  const text = asked.toString().replaceAll('%2C', ',')
  return text ? `/changes?${text}` : '/changes'
}

/** A window's part in the stream that all windows share. */
export class Live {
  private readonly stream: Stream
  private readonly tab: string
  private readonly wanted = new Map<string, { collections: string[]; missed: number }>()
  private mine: string[] = []
  private leads = false
  private asleep = true
  private release: (() => void) | undefined
  private waiting: AbortController | undefined
  private sleepTimer: ReturnType<typeof setTimeout> | undefined
  private rollCall: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly browser: Browser,
    private readonly listener: Listener,
  ) {
    this.tab = `${browser.random()}`.slice(2)
    this.stream = new Stream(browser, {
      hear: (news) => {
        this.tell({ type: 'news', news })
        listener.hear(news)
      },
      reopened: () => {
        this.tell({ type: 'reopened' })
        listener.reopened()
      },
    })
    if (browser.channel) browser.channel.onmessage = (e) => this.take(e.data as Message)
    this.wake()
  }

  /** The collections that this window shows. */
  want(collections: readonly string[]): void {
    this.mine = [...collections]
    if (!this.asleep) this.state()
  }

  /** The window is seen, or no more. */
  seen(is: boolean): void {
    clearTimeout(this.sleepTimer)
    if (is) {
      if (!this.asleep) return
      this.wake()
      this.state()
    } else if (!this.asleep) this.sleepTimer = setTimeout(() => this.sleep(), this.browser.locks ? SLEEP_MS : SLEEP_ALONE_MS)
  }

  end(): void {
    this.sleep()
    clearTimeout(this.sleepTimer)
    this.browser.channel?.close()
  }

  private wake(): void {
    this.asleep = false
    const { locks } = this.browser
    if (!locks) return this.lead()
    // What a window that slept has missed: its own stream tells it from where it stopped; another's would not.
    const slept = this.stream.last !== undefined || this.mine.length > 0
    const waiting = (this.waiting = new AbortController())
    const hold = () => {
      if (waiting.signal.aborted) return undefined
      return new Promise<void>((resolve) => {
        this.release = resolve
        this.lead()
      })
    }
    const follow = () => {
      // The window that leads now may end before it has passed anything on.
      this.stream.missed = true
      return hold()
    }
    void locks
      .request(NAME, { ifAvailable: true }, (lock) => {
        if (lock) return hold()
        if (waiting.signal.aborted) return undefined
        if (slept) this.listener.hear({ kind: 'reset', id: '' })
        void locks.request(NAME, { signal: waiting.signal }, follow).catch(() => undefined)
        return undefined
      })
      .catch(() => undefined)
  }

  private sleep(): void {
    this.asleep = true
    this.leads = false
    clearInterval(this.rollCall)
    this.waiting?.abort()
    this.stream.close()
    this.wanted.clear()
    this.tell({ type: 'want', tab: this.tab, collections: [] })
    this.release?.()
    this.release = undefined
  }

  private lead(): void {
    if (this.asleep) return
    this.leads = true
    this.tell({ type: 'ask' })
    this.rollCall = setInterval(() => this.callRoll(), ROLL_CALL_MS)
    this.listen()
  }

  private callRoll(): void {
    for (const [tab, w] of this.wanted) if (++w.missed > 2) this.wanted.delete(tab)
    this.tell({ type: 'ask' })
  }

  /** Says what this window wants, or does it where it leads. */
  private state(): void {
    if (this.leads) this.listen()
    else this.tell({ type: 'want', tab: this.tab, collections: this.mine })
  }

  private listen(): void {
    const all = new Set(this.mine)
    for (const { collections } of this.wanted.values()) for (const c of collections) all.add(c)
    this.stream.want([...all])
  }

  private take(message: Message): void {
    if (message.type === 'want') {
      if (!this.leads) return
      if (message.collections.length === 0) this.wanted.delete(message.tab)
      else this.wanted.set(message.tab, { collections: message.collections, missed: 0 })
      this.listen()
    } else if (this.asleep || this.leads) return
    else if (message.type === 'ask') this.state()
    else if (message.type === 'reopened') this.listener.reopened()
    else {
      // Whoever leads next goes on from here.
      if (message.news.id) this.stream.last = message.news.id
      this.listener.hear(message.news)
    }
  }

  private tell(message: Message): void {
    if (this.browser.locks) this.browser.channel?.postMessage(message)
  }
}

/** The browser as it is; nothing where it has no server-sent events. */
export function thisBrowser(): Browser | undefined {
  if (typeof EventSource === 'undefined') return undefined
  const locks = 'locks' in navigator ? navigator.locks : undefined
  return {
    locks,
    channel: locks && typeof BroadcastChannel !== 'undefined' ? new BroadcastChannel(NAME) : undefined,
    open: (url) => new EventSource(url),
    random: Math.random,
  }
}
