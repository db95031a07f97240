import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Feature } from 'geojson'
import { list, type DraftStore } from '../../src/editing/draft'
import type { Collection } from '../../src/lib/api'
import { Session } from '../../src/editor/session.svelte'
import { keepMine, lookAtRemote, save, type After } from '../../src/editor/saving'
import { besides, cancelStep, drawEvent, finishCut, insertCorner, moveCorner, moveWhole, piecesOf, removeSelected, select, setWhole, sharers, toggleMerge } from '../../src/editor/tools'

/** A server of two squares beside each other, with the border from (1, 0) to (1, 1). */
const square = (id: number, x: number): Feature => ({ type: 'Feature', id, properties: { name: `n${id}`, floors: id }, geometry: { type: 'Polygon', coordinates: [[[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]] } })
const schema = { properties: { name: { type: 'string' }, floors: { type: 'integer' } } }
const collection = { id: 'plots', title: 'Plots', itemCount: 2, geometryType: 'polygon', theme: 'cadastre', tiles: { minzoom: 0, maxzoom: 14 } } satisfies Collection

interface Sent {
  method: string
  path: string
  headers: Record<string, string>
  body: unknown
}
let sent: Sent[]
let features: Map<string, Feature>
let tags: Map<string, string>
let next: (() => Response | Promise<Response>)[]

const json = (body: unknown, headers: Record<string, string> = {}, status = 200) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })

beforeEach(() => {
  sent = []
  next = []
  features = new Map([['1', square(1, 0)], ['2', square(2, 1)]])
  tags = new Map([['1', '"a"'], ['2', '"b"']])
  vi.stubGlobal('fetch', (path: string, init: RequestInit = {}) => {
    const method = init.method ?? 'GET'
    if (method !== 'GET') {
      sent.push({ method, path, headers: init.headers as Record<string, string>, body: init.body ? JSON.parse(String(init.body)) : undefined })
      return Promise.resolve((next.shift() ?? (() => json({})))())
    }
    if (path.endsWith('/schema')) return Promise.resolve(json(schema))
    if (path.includes('bbox=')) return Promise.resolve(json({ features: [...features.values()], numberMatched: features.size }))
    const id = /items\/(\w+)/.exec(path)![1]!
    return Promise.resolve(features.has(id) ? json(features.get(id), { etag: tags.get(id)! }) : json({}, {}, 404))
  })
})
afterEach(() => vi.unstubAllGlobals())

function memory(): DraftStore & { kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return { kept, keys: async () => [...kept.keys()], read: async (key) => kept.get(key) ?? null, write: async (key, text) => void kept.set(key, text), remove: async (key) => void kept.delete(key) }
}
const after: After = { became: vi.fn(), changed: vi.fn() }

async function begun(id: string | null = '1', store = memory()): Promise<Session> {
  const s = new Session(collection, { create: true, change: true, remove: true, operate: true }, id ?? undefined, { store, lang: () => 'en' })
  expect(await s.begin()).toBe(true)
  return s
}
const path = (vertex: number) => ({ part: 0, ring: 0, vertex })

describe('common borders', () => {
  test('a shared corner moves in both, and is saved as an operation on a condition', async () => {
    const s = await begun()
    select(s, path(1))
    expect(sharers(s, path(1))).toEqual(['plots/2'])
    moveCorner(s, path(1), [1.1, 0.1])
    expect(s.sharedChanges).toEqual(['plots/2'])
    next.push(() => json({ summary: { totalUpdated: 2 } }, { 'hromada-change': 'e.9' }))
    await save(s, after)
    expect(sent.map((r) => [r.method, r.path, r.body])).toEqual([['POST', '/collections/plots/operations', { operation: 'move', points: [{ from: [1, 0], to: [1.1, 0.1] }], 'if-match': { 1: '"a"' } }]])
    expect(s.message?.kind).toBe('done')
  })
  test('alone it is a patch of one geometry, and the neighbour stays', async () => {
    const s = await begun()
    s.alone = true
    moveCorner(s, path(1), [0.9, 0.1])
    expect(s.sharedChanges).toEqual([])
    await save(s, after)
    expect(sent[0]).toMatchObject({ method: 'PATCH', path: '/collections/plots/items/1', body: { geometry: { type: 'Polygon' } } })
    expect(sent[0]!.headers['If-Match']).toBe('"a"')
  })
  test('values go first, by a patch of their own, then the border under the new tag', async () => {
    const s = await begun()
    s.setProperty('name', null)
    insertCorner(s, path(1), [1.1, 0.5])
    next.push(() => json({ ...square(1, 0), properties: { floors: 1 } }, { etag: '"c"' }))
    await save(s, after)
    expect(sent.map((r) => r.body)).toEqual([
      { properties: { name: null } },
      { operation: 'correct', from: { type: 'LineString', coordinates: [[1, 0], [1, 1]] }, to: { type: 'LineString', coordinates: [[1, 0], [1.1, 0.5], [1, 1]] }, 'if-match': { 1: '"c"' } },
    ])
  })
  test('a corner can be taken out and brought back', async () => {
    const s = await begun()
    insertCorner(s, path(1), [1.1, 0.5])
    s.selected = path(2)
    removeSelected(s)
    expect(s.dirty).toBe(false)
    s.undo()
    expect(s.sharedChanges).toEqual(['plots/2'])
    s.undo()
    expect(s.dirty).toBe(false)
    s.redo()
    expect(s.dirty).toBe(true)
  })
})

describe('as a whole', () => {
  test('the feature moves alone, and not after its neighbours moved along', async () => {
    const s = await begun()
    setWhole(s, true)
    moveWhole(s, [5, 0])
    expect(s.sharedChanges).toEqual([])
    expect(cancelStep(s)).toBe(true)
    await save(s, after)
    expect(sent[0]).toMatchObject({ method: 'PATCH', body: { geometry: { coordinates: [[[5, 0], [6, 0], [6, 1], [5, 1], [5, 0]]] } } })
    const other = await begun()
    moveCorner(other, path(1), [1.1, 0.1])
    setWhole(other, true)
    expect(other.whole).toBe(false)
  })
})

describe('saving', () => {
  test('without an answer the same request goes out under the same key; another one takes another', async () => {
    const s = await begun()
    s.setProperty('floors', 7)
    next.push(() => Promise.reject(new TypeError('network')), () => Promise.reject(new TypeError('network')))
    await save(s, after)
    expect(s.message?.offer).toBe('retry')
    await save(s, after)
    s.setProperty('floors', 8)
    next.push(() => json({ ...square(1, 0), properties: { name: 'n1', floors: 8 } }, { etag: '"c"' }))
    await save(s, after)
    const keys = sent.map((r) => r.headers['Idempotency-Key'])
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
    expect([s.dirty, s.etag]).toEqual([false, '"c"'])
  })
  test('errors of fields stand at their fields until they are changed', async () => {
    const s = await begun()
    s.setProperty('floors', 7)
    next.push(() => json({ detail: 'x', errors: [{ pointer: '/properties/floors', detail: 'too many' }] }, {}, 422))
    await save(s, after)
    expect([...s.wrong]).toEqual([['floors', 'too many']])
    await save(s, after)
    expect(sent).toHaveLength(1)
    s.setText('floors', undefined)
    s.setProperty('floors', 2)
    next.push(() => json({ ...square(1, 0), properties: { name: 'n1', floors: 2 } }, { etag: '"c"' }))
    await save(s, after)
    expect(s.dirty).toBe(false)
  })
  test('a shape that is wrong is not sent, and the place is shown', async () => {
    const s = await begun()
    s.alone = true
    moveCorner(s, path(1), [0.5, 2])
    await save(s, after)
    expect(sent).toEqual([])
    expect(s.trouble).toBeDefined()
  })
  test('a new feature is posted once and is edited from then on', async () => {
    const s = await begun(null)
    s.draw('polygon')
    for (const position of [[3, 0], [4, 0], [4, 1]]) drawEvent(s, { type: 'add', position })
    drawEvent(s, { type: 'finish' })
    s.setProperty('name', 'new')
    next.push(() => json({ type: 'Feature', id: 3, geometry: s.now.geometry, properties: { name: 'new' } }, { etag: '"n"' }, 201))
    await save(s, after)
    expect(sent[0]).toMatchObject({ method: 'POST', path: '/collections/plots/items', body: { properties: { name: 'new' } } })
    expect([s.id, s.etag, s.dirty]).toEqual(['3', '"n"', false])
  })
})

describe('conflicts', () => {
  test('what only one side changed stands, the rest is chosen, and it goes on top of theirs', async () => {
    const s = await begun()
    s.setProperty('floors', 5)
    features.set('1', { ...square(1, 0), properties: { name: 'theirs', floors: 9 } })
    tags.set('1', '"t"')
    next.push(() => json({}, {}, 412))
    await save(s, after)
    expect(s.conflict?.comparison.properties.get('floors')).toMatchObject({ state: 'conflict', mine: 5, theirs: 9 })
    next.push(() => json({ ...square(1, 0), properties: { name: 'theirs', floors: 5 } }, { etag: '"u"' }))
    await keepMine(s, { properties: new Map([['floors', 'mine']]) }, after)
    expect(sent[1]).toMatchObject({ method: 'PATCH', body: { properties: { floors: 5 } } })
    expect(sent[1]!.headers['If-Match']).toBe('"t"')
  })
  test('a border that was moved together is moved together on top of theirs', async () => {
    const s = await begun()
    moveCorner(s, path(1), [1.1, 0.1])
    features.set('1', { ...square(1, 0), properties: { name: 'theirs', floors: 1 } })
    tags.set('1', '"t"')
    next.push(() => json({}, {}, 412))
    await save(s, after)
    await keepMine(s, {}, after)
    expect(sent[1]).toMatchObject({ path: '/collections/plots/operations', body: { operation: 'move', 'if-match': { 1: '"t"' } } })
  })
  test('news of what we did ourselves are none; of others they are', async () => {
    const s = await begun()
    await lookAtRemote(s)
    expect(s.remote).toBeUndefined()
    // Another compression of the same state.
    tags.set('1', '"a-br"')
    await lookAtRemote(s)
    expect(s.remote).toBeUndefined()
    features.set('1', { ...square(1, 0), properties: { name: 'theirs' } })
    tags.set('1', '"t"')
    await lookAtRemote(s)
    expect(s.remote).toMatchObject({ etag: '"t"' })
    features.delete('1')
    await lookAtRemote(s)
    expect(s.remote).toBe('gone')
  })
})

describe('drafts', () => {
  test('an edit goes on where it was left, with its neighbours and its key', async () => {
    const store = memory()
    const s = await begun('1', store)
    moveCorner(s, path(1), [1.1, 0.1])
    s.setProperty('floors', 5)
    next.push(() => Promise.reject(new TypeError('network')))
    await save(s, after)
    await s.keepNow()
    const [draft] = await list(store)
    const again = new Session(collection, s.rights, '1', { store, lang: () => 'en' })
    await again.begin(draft)
    expect(again.properties.floors).toBe(5)
    expect(again.sharedChanges).toEqual(['plots/2'])
    await save(again, after)
    expect(sent[1]!.headers['Idempotency-Key']).toBe(sent[0]!.headers['Idempotency-Key'])
  })
  test('what is as it was leaves none', async () => {
    const store = memory()
    const s = await begun('1', store)
    s.setProperty('floors', 5)
    await s.keepNow()
    expect(store.kept.size).toBe(1)
    s.undo()
    await s.keepNow()
    expect(store.kept.size).toBe(0)
  })
})

describe('dividing and joining', () => {
  test('a cut that divides nothing is refused; one from border to border has its pieces', async () => {
    const s = await begun()
    s.draw('cut')
    for (const position of [[0.2, 0.2], [0.4, 0.4]]) drawEvent(s, { type: 'add', position })
    finishCut(s)
    expect(s.message?.kind).toBe('error')
    expect(cancelStep(s)).toBe(true)
    s.draw('cut')
    for (const position of [[0.25, -1], [0.25, 2]]) drawEvent(s, { type: 'add', position })
    finishCut(s)
    expect(piecesOf(s)).toHaveLength(2)
    s.names = ['big', 'small']
    next.push(() => json({ summary: { totalInserted: 2 }, insertResults: ['http://x/collections/plots/items/7', 'http://x/collections/plots/items/8'] }))
    await save(s, after)
    expect(sent[0]!.body).toMatchObject({ operation: 'split', id: '1', pieces: [{ properties: { name: 'big' } }, { properties: { name: 'small' } }], 'if-match': { 1: '"a"' } })
    expect(after.became).toHaveBeenLastCalledWith(['7', '8'])
  })
  test('neighbours with a side in common are offered, and go with their tags', async () => {
    const s = await begun()
    expect(besides(s)).toEqual(['2'])
    s.step({ merge: [] }, 'edit.did.beginMerge')
    toggleMerge(s, '2')
    await save(s, after)
    expect(sent[0]!.body).toMatchObject({ operation: 'merge', ids: ['1', '2'], 'if-match': { 1: '"a"', 2: '"b"' } })
  })
})
