import { afterEach, describe, expect, test, vi } from 'vitest'
import { comparable, did, drawingOf, fetchVersion, fetchVersions, isKept, previous, treeOf, type Kept, type Step, type Versions } from '../../src/lib/history'
import { firstDay } from '../../src/lib/moment'

const step = (kind: string, from: string, to: string): Step => ({ kind, at: '2026-01-01T00:00:00Z', from: { id: from }, to: { id: to } })
const text = (nodes: ReturnType<typeof treeOf>): string => nodes.map((n) => `${n.id}${n.nodes.length ? `(${text(n.nodes)})` : ''}`).join(' ')

test('a lineage is a tree both ways', () => {
  const steps = [step('split', 'a', 'b'), step('split', 'a', 'c'), step('merge', 'b', 'd'), step('merge', 'x', 'd'), step('renumber', 'd', 'e')]
  expect(text(treeOf(steps, 'd', 'origins'))).toBe('b(a) x')
  expect(text(treeOf(steps, 'd', 'successors'))).toBe('e')
  expect(text(treeOf(steps, 'a', 'successors'))).toBe('b(d(e)) c')
})
test('a circle of numbers ends, a thousand steps too', () => {
  expect(text(treeOf([step('renumber', 'a', 'b'), step('renumber', 'b', 'a')], 'a', 'successors'))).toBe('b')
  const wide = Array.from({ length: 1000 }, (_, i) => step('split', 'a', `${i}`))
  expect(treeOf(wide, 'a', 'successors')).toHaveLength(200)
})
test('an operation is named by its kind, else by what it did', () => {
  expect(did({ operation: 'replace', kind: 'split' })).toBe('history.split')
  expect(did({ operation: 'delete' })).toBe('history.delete')
  expect(did({ operation: 'never heard of', kind: 'neither' })).toBe('history.replace')
})
test('the later state lies below the earlier; what there is not is not drawn', () => {
  const point = { type: 'Point' as const, coordinates: [1, 2] }
  expect(drawingOf(point, point).features.map((f) => f.properties?.state)).toEqual(['after', 'before'])
  expect(drawingOf(null, point).features).toHaveLength(1)
  expect(drawingOf(null, undefined).features).toEqual([])
})

describe('versions of which some states were let go', () => {
  const ITEM = 'http://town.test/collections/parcels/items/7'
  const DAYS = [1, 2, 3, 4, 5].map((n) => `2026-01-0${n}T00:00:00.000Z`)
  const told = (i: number) => ({ from: DAYS[i], until: DAYS[i + 1] ?? null, change: { operation: 'replace' } })
  /** The first is not kept, nor is the third. */
  const NUMBERED = DAYS.map((_, i) => ({ ...told(i), version: i + 1, ...([0, 2].includes(i) ? { kept: false } : { href: `${ITEM}/versions/${i + 1}` }) }))
  /** As those are told who do not see all features. */
  const UNNUMBERED = [3, 4].map((i) => ({ ...told(i), href: `${ITEM}?datetime=${DAYS[i]}` }))

  const asked: string[] = []
  afterEach(() => {
    vi.unstubAllGlobals()
    asked.length = 0
  })
  async function versions(all: object[], keptSince?: string): Promise<Versions> {
    vi.stubGlobal('fetch', async (path: string) => {
      asked.push(path)
      return new Response(JSON.stringify({ versions: all, keptSince }))
    })
    return fetchVersions({ collection: 'parcels', id: '7' }, 'uk')
  }

  test('stay in the list, and are told from those that are kept', async () => {
    const { versions: all, keptSince } = await versions(NUMBERED, '2026-01-02T00:00:00.000Z')
    expect(all.map((v) => v.version)).toEqual([1, 2, 3, 4, 5])
    expect(all.map(isKept)).toEqual([false, true, false, true, true])
    expect(keptSince).toBe('2026-01-02T00:00:00.000Z')
  })
  test('are not compared with, and what is kept before them is', async () => {
    const { versions: all } = await versions(NUMBERED)
    expect(all.map((v) => comparable(all, v).map((o) => o.version))).toEqual([[], [4, 5], [], [2, 5], [2, 4]])
    expect(all.map((v) => previous(all, v))).toEqual([undefined, undefined, undefined, 2, 4])
    expect(previous(all.slice(2, 4), all[3]!), 'only the newest is kept').toBeUndefined()
  })
  test('leave those without numbers nothing to compare, since the server does it by number', async () => {
    const { versions: all } = await versions(UNNUMBERED)
    expect(all.every(isKept)).toBe(true)
    expect(all.map((v) => comparable(all, v))).toEqual([[], []])
    expect(all.map((v) => previous(all, v))).toEqual([undefined, undefined])
    const { versions: numbered } = await versions(NUMBERED.slice(4))
    expect(comparable([...all, ...numbered], numbered[0]!)).toEqual([])
  })
  test('of a feature that is gone may be all of them', async () => {
    const { versions: all } = await versions([{ ...told(0), version: 1, kept: false, end: { operation: 'delete' } }])
    expect(all.findLast(isKept)).toBeUndefined()
    expect(all.at(-1)?.end).toEqual({ operation: 'delete' })
  })
  test('have keys of their own, with numbers and without, also where changes share a moment', async () => {
    const keys = async (all: object[]) => new Set((await versions(all)).versions.map((v) => v.key)).size
    expect(await keys(NUMBERED)).toBe(5)
    expect(await keys(UNNUMBERED)).toBe(2)
    const once = { ...told(0), href: `${ITEM}?datetime=${DAYS[0]}` }
    expect(await keys([once, once])).toBe(2)
    expect(await keys([{ ...once, version: 1 }, { ...once, version: 2 }])).toBe(2)
  })
  test('a key stays when another version comes', async () => {
    const keys = async (all: object[]) => (await versions(all)).versions.map((v) => v.key)
    expect((await keys(NUMBERED)).slice(0, 4)).toEqual(await keys(NUMBERED.slice(0, 4)))
    expect((await keys(UNNUMBERED)).slice(0, 1)).toEqual(await keys(UNNUMBERED.slice(0, 1)))
  })
  test('a state is asked for by its address, of the server that the reader came to', async () => {
    const kept = async (all: object[]) => (await versions(all)).versions.findLast(isKept) as Kept
    await fetchVersion(await kept(NUMBERED), 'uk')
    await fetchVersion(await kept(UNNUMBERED), 'uk')
    expect(asked.filter((path) => !path.endsWith('/versions'))).toEqual(['/collections/parcels/items/7/versions/5', `/collections/parcels/items/7?datetime=${DAYS[4]}`])
  })
  test('the scale of days begins where states are kept', async () => {
    const first = (keptSince?: string) => {
      vi.stubGlobal('fetch', async (path: string) => new Response(JSON.stringify(path.endsWith('/versions') ? { versions: NUMBERED, keptSince } : { features: [{ id: 7 }] })))
      return firstDay(new Map([['parcels', {}]]), 'uk')
    }
    expect(await first()).toBe('2026-01-01')
    expect(await first('2026-01-02T00:00:00.000Z')).toBe('2026-01-02')
  })
})
