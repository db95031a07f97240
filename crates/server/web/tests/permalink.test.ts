import { describe, expect, test } from 'vitest'
import { emptyState, fromFragment, MAX_POINTS, MAX_SELECTION, toFragment, type LinkState } from '../src/lib/permalink'

/** Mulberry32: the same sequence every time. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const WORDS = ['parcels', 'вулиці', 'a/b', 'c,d', '100%', 'x&y=z', '#', 'water nodes', 'ґанок', '2610100000:01:001:0001', '"<>', 'é', '..', '🙂']

describe('round trip', () => {
  test('a thousand random states come back as they were', () => {
    const next = random(20_26)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!
    const maybe = <T>(make: () => T): T | undefined => (next() < 0.5 ? make() : undefined)
    const words = (n: number) => Array.from({ length: Math.floor(next() * n) }, () => pick(WORDS))
    const near = (size: number, digits: number) => Number(((next() * 2 - 1) * size).toFixed(digits))
    for (let i = 0; i < 1000; i++) {
      const selection = words(MAX_SELECTION).map((collection) => ({ collection, id: pick(WORDS) }))
      const state: LinkState = {
        view: maybe(() => ({ center: [near(180, 6), near(85, 6)] as [number, number], zoom: Number((next() * 22).toFixed(2)) })),
        lang: maybe(() => pick(['uk', 'en'] as const)),
        theme: maybe(() => pick(['light', 'dark'] as const)),
        preset: maybe(() => pick(WORDS)),
        layers: maybe(() => words(8)),
        panel: maybe(() => pick(['list', 'none'] as const)),
        selection,
        index: selection.length > 0 ? Math.floor(next() * selection.length) : 0,
        measure: maybe(() => ({
          mode: pick(['distance', 'area'] as const),
          points: Array.from({ length: Math.floor(next() * 9) }, () => [near(180, 7), near(90, 7)] as [number, number]),
        })),
        filter: next() < 0.5 ? pick(WORDS) : '',
        only: maybe(() => pick(WORDS)),
      }
      const expected = Object.fromEntries(Object.entries(state).filter(([, v]) => v !== undefined))
      expect(fromFragment(`#${toFragment(state)}`), toFragment(state)).toEqual(expected)
    }
  })

  test('a plain state is an empty link', () => {
    expect(toFragment(emptyState())).toBe('')
    expect(fromFragment('')).toEqual(emptyState())
  })

  test('no layer at all is not the same as the preset’s layers', () => {
    expect(fromFragment(toFragment({ ...emptyState(), layers: [] })).layers).toEqual([])
    expect(fromFragment(toFragment(emptyState())).layers).toBeUndefined()
  })
})

describe('what others write into links', () => {
  test.each([
    'map=NaN/1/2', 'map=5/91/0', 'map=5/0/181', 'map=5/0', 'map=', 'map=1e3/1/1', 'measure=volume,1/2', 'measure=area,1/x', 'lang=ru', 'theme=pink',
    'panel=admin', 'sel=parcels', 'sel=a/b/c', 'sel=,,,', 'n=-1', 'n=1e9', '===', '&&&', 'constructor=1', '__proto__=x', 'only=%E0%A4%A',
  ])('%s changes nothing', (fragment) => expect(fromFragment(fragment)).toEqual(emptyState()))

  test('a zoom beyond the last is the last', () => {
    expect(fromFragment('map=99/48/24').view?.zoom).toBe(24)
  })
  test('an index beyond the selection is the first', () => {
    expect(fromFragment('sel=parcels/1&n=7').index).toBe(0)
  })
  test('long lists are cut', () => {
    const many = Array.from({ length: 500 }, (_, i) => `p/${i}`).join(',')
    expect(fromFragment(`sel=${many}`).selection).toHaveLength(MAX_SELECTION)
    const points = Array.from({ length: 500 }, () => '1/2').join(',')
    expect(fromFragment(`measure=area,${points}`).measure?.points).toHaveLength(MAX_POINTS)
    expect(() => fromFragment('layers='.padEnd(1_000_000, 'a,'))).not.toThrow()
  })
})
