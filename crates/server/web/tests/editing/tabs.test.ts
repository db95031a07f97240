import { expect, test } from 'vitest'
import { find, keep, type Draft, type DraftStore } from '../../src/editing/draft'
import { discard, everyDraft, scoped } from '../../src/editing/tabs'

function memory(): DraftStore & { kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return { kept, keys: async () => [...kept.keys()], read: async (key) => kept.get(key) ?? null, write: async (key, text) => void kept.set(key, text), remove: async (key) => void kept.delete(key) }
}
const DAY = 86_400_000
const draft = (savedAt: number, note: string): Draft => ({ collection: 'plots', feature: '5', properties: { note }, savedAt })

test('windows do not write over each other, and accounts do not see each other', async () => {
  const store = memory()
  await keep(scoped(store, 'o.koval', 'one'), draft(10, 'first'))
  await keep(scoped(store, 'o.koval', 'two'), draft(20, 'second'))
  await keep(scoped(store, 'i/m', 'one'), draft(30, 'other account'))
  expect((await find(scoped(store, 'o.koval', 'one'), 'plots', '5'))?.properties).toEqual({ note: 'first' })
  expect((await everyDraft(store, 'o.koval', 40)).map((f) => [f.tab, f.draft.properties.note])).toEqual([['two', 'second'], ['one', 'first']])
  expect((await everyDraft(store, 'i/m', 40)).map((f) => f.draft.properties.note)).toEqual(['other account'])
  expect(await everyDraft(store, 'o', 40)).toEqual([])
  await discard(store, 'o.koval', 'two', draft(0, ''))
  expect((await everyDraft(store, 'o.koval', 40)).map((f) => f.tab)).toEqual(['one'])
})

test('a draft that nobody came back to for a month goes', async () => {
  const store = memory()
  await keep(scoped(store, 'a', 'one'), draft(0, 'old'))
  await keep(scoped(store, 'a', 'two'), draft(20 * DAY, 'new'))
  expect((await everyDraft(store, 'a', 31 * DAY)).map((f) => f.tab)).toEqual(['two'])
  expect(store.kept.size).toBe(1)
})

test('base, steps, key and reason come back; a step that is none spoils the draft', async () => {
  const store = scoped(memory(), 'a', 'one')
  const full: Draft = {
    ...draft(1, 'x'), etag: '"t"', base: { geometry: { type: 'Point', coordinates: [1, 2] }, properties: { note: 'y' } }, merge: ['6'], sending: { key: 'k', of: 'f' }, reason: 'r',
    steps: [{ did: 'move', from: [1, 2], to: [3, 4] }, { did: 'insert', from: [1, 2], to: [3, 4], at: [2, 3] }, { did: 'remove', at: [1, 1] }],
  }
  await keep(store, full)
  expect(await find(store, 'plots', '5')).toEqual(full)
  await keep(store, { ...full, steps: [{ did: 'move', from: [1, 2] } as never] })
  expect(await find(store, 'plots', '5')).toBeNull()
})
