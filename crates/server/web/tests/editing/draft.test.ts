import { describe, expect, test } from 'vitest'
import { find, forget, fromJson, keep, list, toJson, VERSION, webStore, type Draft, type DraftStore } from '../../src/editing/draft'
import { box, done, polygon, random, reason } from './cases'

const full: Draft = {
  collection: 'parcels',
  feature: '2610100000:01:001:0001',
  etag: '"17-a"',
  geometry: polygon([[24.711111987654321, 48.9], [24.8, 48.9], [24.8, 49.000000000000001]]),
  properties: { name: 'Ділянка', note: null, share: 0.1, tags: ['a'] },
  drawing: { shape: 'hole', positions: [[24.75, 48.92]], part: 0 },
  view: { center: [24.75, 48.95], zoom: 17.5 },
  savedAt: 1_700_000_000_000,
}
const fresh: Draft = { collection: 'parcels', properties: {}, savedAt: 1 }

function memory(map = new Map<string, string>()): DraftStore & { map: Map<string, string> } {
  return {
    map,
    keys: async () => [...map.keys()],
    read: async (key) => map.get(key) ?? null,
    write: async (key, text) => void map.set(key, text),
    remove: async (key) => void map.delete(key),
  }
}

describe('JSON', () => {
  test('there and back, to the last digit', () => {
    expect(fromJson(toJson(full))).toEqual(full)
    expect(fromJson(toJson(fresh))).toEqual(fresh)
    expect(JSON.parse(toJson(full))).toHaveProperty('version', VERSION)
    for (const g of [{ type: 'Point', coordinates: [1, 2, 3] }, { type: 'MultiPoint', coordinates: [[1, 2]] }, { type: 'LineString', coordinates: [[1, 2], [3, 4]] }, { type: 'MultiLineString', coordinates: [[[1, 2], [3, 4]]] }, { type: 'MultiPolygon', coordinates: [polygon(box(0, 0, 1, 1)).coordinates] }]) {
      expect(fromJson(toJson({ ...fresh, geometry: g as never }))).toEqual({ ...fresh, geometry: g })
    }
  })
  const bad = (over: Record<string, unknown>) => fromJson(JSON.stringify({ version: VERSION, ...full, ...over }))
  test.each([
    ['another version', { version: 2 }],
    ['no version', { version: undefined }],
    ['no collection', { collection: '' }],
    ['a number for an id', { feature: 7 }],
    ['an empty id', { feature: '' }],
    ['an ETag that is no text', { etag: {} }],
    ['properties that are a list', { properties: [] }],
    ['no properties', { properties: undefined }],
    ['no date', { savedAt: '2024' }],
    ['a geometry of an unknown type', { geometry: { type: 'Circle', coordinates: [1, 2] } }],
    ['a type that every object has', { geometry: { type: 'constructor', coordinates: [1, 2] } }],
    ['a collection of geometries', { geometry: { type: 'GeometryCollection', geometries: [] } }],
    ['a null geometry', { geometry: null }],
    ['coordinates of another type', { geometry: { type: 'Polygon', coordinates: [[1, 2], [3, 4]] } }],
    ['an open ring', { geometry: { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 1]]] } }],
    ['a ring of two corners', { geometry: { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [0, 0]]] } }],
    ['a line of one position', { geometry: { type: 'LineString', coordinates: [[0, 0]] } }],
    ['no parts', { geometry: { type: 'MultiPolygon', coordinates: [] } }],
    ['a position of one number', { geometry: { type: 'Point', coordinates: [1] } }],
    ['a position that is no number', { geometry: { type: 'Point', coordinates: [1, null] } }],
    ['a latitude beyond the pole', { geometry: { type: 'Point', coordinates: [24, 91] } }],
    ['a drawing of an unknown shape', { drawing: { shape: 'circle', positions: [] } }],
    ['a drawing without positions', { drawing: { shape: 'line' } }],
    ['a drawing in half a part', { drawing: { shape: 'hole', positions: [], part: 0.5 } }],
    ['a view without zoom', { view: { center: [24, 48] } }],
  ])('%s is no draft', (_, over) => expect(bad(over)).toBeNull())
  test('neither is other text', () => {
    for (const text of ['', '{', 'null', '[]', '7', '"draft"', toJson(full).slice(0, -1)]) expect(fromJson(text)).toBeNull()
    expect(fromJson(toJson(full) + ' '.repeat(20_000_000))).toBeNull()
  })
  test('members that are not known are left out', () => {
    expect(bad({ onload: 'x' })).toEqual(full)
  })
  test('damaged text is read as a draft or as nothing, never an error', () => {
    const next = random(8)
    const text = toJson(full)
    for (let i = 0; i < 2000; i++) {
      const at = Math.floor(next() * text.length)
      const damaged = text.slice(0, at) + String.fromCharCode(32 + Math.floor(next() * 95)) + text.slice(at + 1 + Math.floor(next() * 3))
      const draft = fromJson(damaged)
      if (draft) expect(fromJson(toJson(draft))).toEqual(draft)
    }
  })
})

describe('store', () => {
  test('one draft for a feature and one new feature for a collection, the newest first', async () => {
    const store = memory()
    done(await keep(store, fresh))
    done(await keep(store, { ...full, savedAt: 5 }))
    done(await keep(store, { ...full, savedAt: 9 }))
    done(await keep(store, { ...fresh, collection: 'zoning', savedAt: 7 }))
    expect((await list(store)).map((d) => [d.collection, d.feature, d.savedAt])).toEqual([['parcels', full.feature, 9], ['zoning', undefined, 7], ['parcels', undefined, 1]])
    expect(await find(store, 'parcels', full.feature)).toEqual({ ...full, savedAt: 9 })
    expect(await find(store, 'parcels')).toEqual(fresh)
    expect(await find(store, 'parcels', 'other')).toBeNull()
    await forget(store, 'parcels')
    expect(await find(store, 'parcels')).toBeNull()
    expect(await list(store)).toHaveLength(2)
  })
  test('names with slashes do not meet', async () => {
    const store = memory()
    await keep(store, { ...fresh, collection: 'a/b', feature: 'c' })
    await keep(store, { ...fresh, collection: 'a', feature: 'b/c' })
    expect(await list(store)).toHaveLength(2)
  })
  test('what is not ours, damaged or under a wrong name is passed over and left alone', async () => {
    const store = memory(new Map([['hromada.lang', 'uk'], ['hromada.draft/x/1', '{'], ['hromada.draft/x/2', toJson(full)]]))
    expect(await list(store)).toEqual([])
    expect(store.map.size).toBe(3)
  })
  test('a full or forbidden storage refuses and breaks nothing', async () => {
    const fail = () => Promise.reject(new Error('QuotaExceededError'))
    const broken: DraftStore = { keys: fail, read: fail, write: fail, remove: fail }
    expect(reason(await keep(broken, full))).toBe('editing.draft-not-kept')
    expect(await list(broken)).toEqual([])
    expect(await find(broken, 'parcels')).toBeNull()
    await forget(broken, 'parcels')
  })
  test('in localStorage', async () => {
    const map = new Map<string, string>()
    const storage = { get length() { return map.size }, key: (i: number) => [...map.keys()][i] ?? null, getItem: (k: string) => map.get(k) ?? null, setItem: (k: string, v: string) => void map.set(k, v), removeItem: (k: string) => void map.delete(k) }
    const store = webStore(storage as unknown as Storage)
    await keep(store, full)
    expect(await list(store)).toEqual([full])
    await forget(store, full.collection, full.feature)
    expect(map.size).toBe(0)
  })
})
