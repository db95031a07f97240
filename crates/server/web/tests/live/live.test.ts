import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { address, Live, SLEEP_ALONE_MS, SLEEP_MS, type Browser } from '../../src/lib/live'
import type { News } from '../../src/lib/news'

/** A server's stream as the browser has it. */
class Source {
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  closed = false
  private readonly listeners = new Map<string, (e: unknown) => void>()
  constructor(readonly url: string) {
    sources.push(this)
  }
  addEventListener(kind: string, listener: unknown): void {
    this.listeners.set(kind, listener as (e: unknown) => void)
  }
  close(): void {
    this.closed = true
  }
  send(feature: string, id: string): void {
    this.listeners.get('change')?.({ data: JSON.stringify({ collection: 'a', feature, action: 'update', bbox: null }), lastEventId: id })
  }
}
let sources: Source[] = []
const open = () => sources.filter((s) => !s.closed)

/** One lock and one channel, as the windows of a browser share them. */
class Shared {
  private holder = false
  private readonly queue: (() => void)[] = []
  private readonly channels = new Set<{ onmessage: ((e: { data: unknown }) => void) | null }>()

  browser(random: number): Browser {
    const channels = this.channels
    const channel = {
      onmessage: null as ((e: { data: unknown }) => void) | null,
      postMessage(data: unknown) {
        for (const c of channels) if (c !== channel) c.onmessage?.({ data: structuredClone(data) })
      },
      close: () => void channels.delete(channel),
    }
    channels.add(channel)
    const request = async (_: string, options: { ifAvailable?: boolean; signal?: AbortSignal }, body: (lock: unknown) => unknown) => {
      if (this.holder && options.ifAvailable) return body(null)
      if (this.holder) {
        await new Promise<void>((resolve, reject) => {
          this.queue.push(resolve)
          options.signal?.addEventListener('abort', () => {
            this.queue.splice(this.queue.indexOf(resolve), 1)
            reject(new Error('aborted'))
          })
        })
      }
      this.holder = true
      const result = await body({})
      this.holder = false
      this.queue.shift()?.()
      return result
    }
    return { locks: { request } as never, channel: channel as never, open: (url) => new Source(url) as never, random: () => random }
  }
}

function tab(browser: Browser, collections: string[]) {
  const heard: News[] = []
  const again = vi.fn()
  const live = new Live(browser, { hear: (n) => heard.push(n), reopened: again })
  live.want(collections)
  return { live, heard, again, features: () => heard.flatMap((n) => (n.kind === 'change' ? [n.change.feature] : [n.kind])) }
}
const settle = () => vi.advanceTimersByTimeAsync(200)

beforeEach(() => {
  vi.useFakeTimers()
  sources = []
})
afterEach(() => {
  vi.useRealTimers()
})

describe('windows of one browser', () => {
  test('share one stream of what all of them show', async () => {
    const shared = new Shared()
    const one = tab(shared.browser(0.1), ['a'])
    await settle()
    const two = tab(shared.browser(0.2), ['b', 'a'])
    await settle()
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=a,b'])
    open()[0]!.send('7', 'x1')
    expect(one.features()).toEqual(['7'])
    expect(two.features().filter((f) => f !== 'reset')).toEqual(['7'])
  })
  test('the next one takes over where the first stopped', async () => {
    const shared = new Shared()
    const one = tab(shared.browser(0.1), ['a'])
    await settle()
    const two = tab(shared.browser(0.2), ['b'])
    await settle()
    open()[0]!.send('7', 'x1')
    one.live.end()
    await settle()
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=b&since=x1'])
    open()[0]!.send('8', 'x2')
    expect(two.features().filter((f) => f !== 'reset')).toEqual(['7', '8'])
    expect(one.features()).toEqual(['7'])
  })
  test('without anything to go on from, the next one reads all anew', async () => {
    const shared = new Shared()
    const one = tab(shared.browser(0.1), ['a'])
    await settle()
    const two = tab(shared.browser(0.2), ['a'])
    await settle()
    two.heard.length = 0
    one.live.end()
    await settle()
    open()[0]!.onopen!()
    expect(two.features()).toEqual(['reset'])
  })
  test('a smaller wish needs no new connection, a larger one does', async () => {
    const one = tab(new Shared().browser(0.1), ['a', 'b'])
    await settle()
    one.live.want(['a'])
    await settle()
    expect(sources).toHaveLength(1)
    open()[0]!.send('7', 'x1')
    one.live.want(['a', 'c'])
    await settle()
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=a,c&since=x1'])
    one.live.want([])
    expect(open()).toHaveLength(0)
  })
})

describe('a window that nobody looks at', () => {
  test('lets go after a while, catches up when it is seen', async () => {
    const one = tab(new Shared().browser(0.1), ['a'])
    await settle()
    open()[0]!.send('7', 'x1')
    one.live.seen(false)
    await vi.advanceTimersByTimeAsync(SLEEP_MS - 1)
    expect(open()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2)
    expect(open()).toHaveLength(0)
    one.live.seen(true)
    await settle()
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=a&since=x1'])
    expect(one.features()).toEqual(['7'])
  })
  test('gives the lead to one that is seen', async () => {
    const shared = new Shared()
    const one = tab(shared.browser(0.1), ['a'])
    await settle()
    tab(shared.browser(0.2), ['b'])
    await settle()
    one.live.seen(false)
    await vi.advanceTimersByTimeAsync(SLEEP_MS + 200)
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=b'])
    // Seen again it follows, and reads anew what it did not hear.
    one.live.seen(true)
    await settle()
    expect(one.features()).toEqual(['reset'])
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=a,b'])
  })
  test('a glance elsewhere ends nothing', async () => {
    const one = tab(new Shared().browser(0.1), ['a'])
    await settle()
    one.live.seen(false)
    await vi.advanceTimersByTimeAsync(5_000)
    one.live.seen(true)
    await vi.advanceTimersByTimeAsync(SLEEP_MS * 2)
    expect(sources).toHaveLength(1)
    expect(open()).toHaveLength(1)
  })
  test('without locks each has its own, and lets go soon', async () => {
    const alone: Browser = { open: (url) => new Source(url) as never, random: () => 0.5 }
    const one = tab(alone, ['a'])
    await settle()
    expect(open()).toHaveLength(1)
    one.live.seen(false)
    await vi.advanceTimersByTimeAsync(SLEEP_ALONE_MS + 1)
    expect(open()).toHaveLength(0)
    one.live.seen(true)
    await settle()
    expect(open()).toHaveLength(1)
  })
})

describe('a stream that ends', () => {
  test('is there again soon, goes on from where it was, and says so', async () => {
    const one = tab(new Shared().browser(0), ['a'])
    await settle()
    open()[0]!.onopen!()
    open()[0]!.send('7', 'x1')
    open()[0]!.onerror!()
    await vi.advanceTimersByTimeAsync(600)
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=a&since=x1'])
    open()[0]!.onopen!()
    expect(one.again).toHaveBeenCalledTimes(1)
  })
  test('a server that never had one is left alone', async () => {
    const one = tab(new Shared().browser(0), ['a'])
    await settle()
    for (let i = 0; i < 60; i++) {
      open()[0]?.onerror?.()
      one.live.want(['a', `b${i}`])
      await vi.advanceTimersByTimeAsync(5_000)
    }
    expect(sources.length).toBeLessThan(5)
    expect(one.heard).toEqual([])
  })
  test('one that was slow to begin may have missed something', async () => {
    const [quick, slow] = [tab(new Shared().browser(0), ['a']), tab(new Shared().browser(0), ['b'])]
    await settle()
    sources[0]!.onopen!()
    await vi.advanceTimersByTimeAsync(1_000)
    sources[1]!.onopen!()
    expect([quick.features(), slow.features()]).toEqual([[], ['reset']])
  })
  test('an id that is refused is given up, and all is read anew', async () => {
    const one = tab(new Shared().browser(0), ['a'])
    await settle()
    open()[0]!.onopen!()
    open()[0]!.send('7', 'old')
    open()[0]!.onerror!()
    await vi.advanceTimersByTimeAsync(600)
    open()[0]!.onerror!()
    await vi.advanceTimersByTimeAsync(1_200)
    expect(open().map((s) => s.url)).toEqual(['/changes?collections=a'])
    open()[0]!.onopen!()
    expect(one.features()).toEqual(['7', 'reset'])
  })
  test('one that keeps failing is asked less and less', async () => {
    tab(new Shared().browser(0), ['a'])
    await settle()
    open()[0]!.onopen!()
    for (let ms = 0; ms < 600_000; ms += 500) {
      open()[0]?.onerror?.()
      await vi.advanceTimersByTimeAsync(500)
    }
    expect(sources.length).toBeLessThan(20)
  })
})

test('the address names collections in one order, all where they are too many', () => {
  expect(address(['b', 'a'], undefined)).toBe('/changes?collections=a,b')
  expect(address(['ділянки'], 'x&1')).toBe('/changes?collections=%D0%B4%D1%96%D0%BB%D1%8F%D0%BD%D0%BA%D0%B8&since=x%261')
  expect(address(Array.from({ length: 101 }, (_, i) => `c${i}`), undefined)).toBe('/changes')
})
