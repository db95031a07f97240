import type { Feature, Geometry } from 'geojson'
import { describe, expect, test } from 'vitest'
import { changes, compare, equal, merged, open, patched, type Choice, type Patch } from '../../src/editing/changes'
import { box, done, feature, polygon, random, reason } from './cases'

const square = polygon(box(0, 0, 10, 10))
const base = feature(square, { name: 'А', area: 100, note: 'x', tags: ['a', 'b'], owner: { id: 1, share: 0.5 } })
const withProperties = (over: Record<string, unknown>): Feature => ({ ...base, properties: { ...base.properties, ...over } })

describe('changes', () => {
  test('nothing when nothing changed, whatever the order and the objects', () => {
    expect(changes(base, base)).toBeUndefined()
    expect(changes(base, feature(structuredClone(square), { owner: { share: 0.5, id: 1 }, tags: ['a', 'b'], note: 'x', area: 100, name: 'А' }))).toBeUndefined()
  })
  test('only the property that changed, null for one that is gone', () => {
    expect(changes(base, withProperties({ name: 'Б' }))).toEqual({ properties: { name: 'Б' } })
    const { note: _, ...rest } = base.properties!
    expect(changes(base, { ...base, properties: rest })).toEqual({ properties: { note: null } })
    expect(Object.keys(patched(base, { properties: { note: null } }).properties!)).toEqual(['name', 'area', 'tags', 'owner'])
    expect(changes(base, withProperties({ note: undefined }))).toEqual({ properties: { note: null } })
    expect(changes(base, withProperties({ fresh: false, empty: '', zero: 0 }))).toEqual({ properties: { fresh: false, empty: '', zero: 0 } })
    expect(changes(base, withProperties({ absent: null }))).toBeUndefined()
  })
  test('within an object only its members, lists whole', () => {
    expect(changes(base, withProperties({ owner: { id: 1, share: 0.25 } }))).toEqual({ properties: { owner: { share: 0.25 } } })
    expect(changes(base, withProperties({ owner: { id: 1 } }))).toEqual({ properties: { owner: { share: null } } })
    expect(changes(base, withProperties({ tags: ['a'] }))).toEqual({ properties: { tags: ['a'] } })
    expect(changes(base, withProperties({ owner: 'nobody' }))).toEqual({ properties: { owner: 'nobody' } })
  })
  test('the geometry alone, whole, or null', () => {
    const moved = polygon(box(0, 0, 10, 10.000000000000002))
    expect(changes(base, { ...base, geometry: moved })).toEqual({ geometry: moved })
    expect(changes(base, { ...base, geometry: null as unknown as Geometry })).toEqual({ geometry: null })
    expect(changes({ ...base, geometry: { ...square, bbox: [0, 0, 10, 10] } }, { ...base, geometry: moved })).toEqual({ geometry: { ...moved, bbox: null } })
  })
  test('names that every object has are names like others', () => {
    const odd = feature(square, JSON.parse('{"__proto__": 1, "constructor": "x"}') as Record<string, unknown>)
    const patch = changes(feature(square), odd)
    expect(JSON.stringify(patch)).toBe('{"properties":{"__proto__":1,"constructor":"x"}}')
    expect(JSON.stringify(patched(feature(square), patch).properties)).toBe('{"__proto__":1,"constructor":"x"}')
    expect(changes(odd, odd)).toBeUndefined()
  })
})

describe('comparison', () => {
  const mine = { ...withProperties({ name: 'Мій', area: 120, note: 'both', tags: [] }), geometry: polygon(box(0, 0, 11, 10)) }
  const theirs = withProperties({ name: 'Їхній', note: 'both', owner: { id: 2, share: 0.5 } })
  const comparison = compare(base, mine, theirs)
  const choose = (name: string, side: 'mine' | 'theirs'): Choice => ({ properties: new Map([[name, side]]) })
  test('every state', () => {
    expect(Object.fromEntries([...comparison.properties].map(([name, c]) => [name, c.state]))).toEqual({ name: 'conflict', area: 'mine', note: 'same', tags: 'mine', owner: 'theirs' })
    expect(comparison.geometry.state).toBe('mine')
    expect(compare(base, mine, { ...base, geometry: polygon(box(0, 0, 12, 10)) }).geometry.state).toBe('conflict')
    expect(compare(base, mine, mine).geometry.state).toBe('same')
    expect(compare(base, base, base).geometry.state).toBe('unchanged')
    expect(comparison.properties.get('name')).toEqual({ state: 'conflict', base: 'А', mine: 'Мій', theirs: 'Їхній' })
  })
  test('unset by one and changed by the other is a conflict', () => {
    const { note: _, ...rest } = base.properties!
    expect(compare(base, { ...base, properties: rest }, withProperties({ note: 'y' })).properties.get('note')!.state).toBe('conflict')
  })
  test('a conflict must be chosen', () => {
    expect(open(comparison, {})).toEqual({ properties: ['name'], geometry: false })
    expect(reason(merged(comparison, {}))).toBe('editing.conflict-open')
    const both = compare(base, mine, { ...theirs, geometry: polygon(box(0, 0, 12, 10)) })
    expect(open(both, choose('name', 'mine'))).toEqual({ properties: [], geometry: true })
    expect(reason(merged(both, choose('name', 'mine')))).toBe('editing.conflict-open')
    expect(done(merged(both, { ...choose('name', 'mine'), geometry: 'theirs' }))).not.toHaveProperty('geometry')
  })
  test('the patch against theirs has mine only', () => {
    expect(done(merged(comparison, choose('name', 'mine')))).toEqual({ properties: { name: 'Мій', area: 120, tags: [] }, geometry: mine.geometry })
    expect(done(merged(comparison, choose('name', 'theirs')))).toEqual({ properties: { area: 120, tags: [] }, geometry: mine.geometry })
  })
  test('what only I changed can be given up too, down to nothing', () => {
    const all: Choice = { properties: new Map([...comparison.properties.keys()].map((name) => [name, 'theirs'])), geometry: 'theirs' }
    expect(merged(comparison, all)).toBeUndefined()
    const back = merged(comparison, { properties: new Map([['name', 'theirs'], ['owner', 'mine']]), geometry: 'theirs' })
    expect(done(back as Patch).properties).toEqual({ area: 120, tags: [], owner: { id: 1 } })
  })
})

test('2,000 random edits: the patch gives mine from the base, a second patch nothing, and a merge keeps both sides', () => {
  const next = random(4)
  const any = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!
  const value = (depth: number): unknown => {
    const kind = Math.floor(next() * (depth > 0 ? 8 : 6))
    if (kind === 6) return Array.from({ length: Math.floor(next() * 3) }, () => value(depth - 1))
    if (kind === 7) return properties(depth - 1)
    return [null, true, 0, 'a', 'б', next()][kind]
  }
  const properties = (depth: number): Record<string, unknown> => Object.fromEntries(['a', 'b', 'c', 'd', '__proto__'].filter(() => next() < 0.6).map((name) => [name, value(depth)]))
  const shapes = [square, polygon(box(0, 0, 1, 1)), { type: 'Point', coordinates: [1, 2] } as Geometry, null as unknown as Geometry]
  const make = () => feature(any(shapes), properties(2))
  const edited = (f: Feature): Feature => ({ ...f, geometry: next() < 0.3 ? any(shapes) : f.geometry, properties: { ...f.properties, ...Object.fromEntries(Object.entries(properties(2)).filter(() => next() < 0.4)) } })
  const wire = <T>(patch: T): T => (patch === undefined ? patch : (JSON.parse(JSON.stringify(patch)) as T))
  let conflicts = 0
  for (let i = 0; i < 2000; i++) {
    const before = make()
    const [mine, theirs] = [edited(before), edited(before)]
    const patch = wire(changes(before, mine))
    const after = patched(before, patch)
    expect(equal(after.properties, mine.properties) && equal(after.geometry, mine.geometry)).toBe(true)
    expect(changes(after, mine)).toBeUndefined()
    for (const name of Object.keys(patch?.properties ?? {})) expect(equal(before.properties![name], mine.properties![name])).toBe(false)
    const comparison = compare(before, mine, theirs)
    const left = open(comparison, {})
    if (left.geometry || left.properties.length > 0) conflicts++
    const choice: Choice = { properties: new Map(left.properties.map((name) => [name, any(['mine', 'theirs'] as const)])), ...(left.geometry && { geometry: 'mine' }) }
    const result = patched(theirs, wire(merged(comparison, choice) as Patch | undefined))
    for (const [name, c] of comparison.properties) {
      const side = choice.properties!.get(name) ?? (c.state === 'mine' ? 'mine' : 'theirs')
      expect(equal(Object.hasOwn(result.properties!, name) ? result.properties![name] : null, c[side])).toBe(true)
    }
    expect(equal(result.geometry, comparison.geometry[left.geometry || comparison.geometry.state === 'mine' ? 'mine' : 'theirs'])).toBe(true)
  }
  expect(conflicts).toBeGreaterThan(200)
})
