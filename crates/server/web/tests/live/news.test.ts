import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Gathering, MAX_BOXES, readNews, type News, type Touched } from '../../src/lib/news'

const change = (feature: string, bbox?: [number, number, number, number], collection = 'parcels'): News => ({ kind: 'change', id: feature, change: { collection, feature, action: 'update', ...(bbox && { bbox }) } })

describe('news', () => {
  test('an event is read, a number as id too', () => {
    const data = JSON.stringify({ collection: 'parcels', feature: 7, action: 'create', bbox: [1, 2, 3, 4], time: '2026-01-01T00:00:00Z', etag: '"a"' })
    expect(readNews('change', data, 'x1')).toEqual({ kind: 'change', id: 'x1', change: { collection: 'parcels', feature: '7', action: 'create', bbox: [1, 2, 3, 4], etag: '"a"' } })
    expect(readNews('collection', '{"collection":"parcels"}', 'x2')).toEqual({ kind: 'collection', collection: 'parcels', id: 'x2' })
    expect(readNews('reset', '{}', 'x3')).toEqual({ kind: 'reset', id: 'x3' })
  })
  test.each([
    ['change', '{'], ['change', 'null'], ['change', '[]'], ['change', '{"collection":"a"}'], ['change', '{"collection":"a","feature":"1","action":"explode"}'],
    ['collection', '{}'], ['other', '{"collection":"a"}'],
  ])('%s %s makes no sense and breaks nothing', (kind, data) => expect(readNews(kind, data, '')).toBeUndefined())
  test('a box that is none is left out, the change is not', () => {
    const data = JSON.stringify({ collection: 'a', feature: '1', action: 'delete', bbox: [1, null, 3, 4] })
    expect(readNews('change', data, '')).toMatchObject({ change: { feature: '1' } })
    expect(readNews('change', data, '')).not.toHaveProperty('change.bbox')
  })
})

describe('gathering', () => {
  let steps: Touched[]
  let gathering: Gathering
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    steps = []
    gathering = new Gathering((t) => steps.push(t))
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('many changes of a moment are one step, within a tenth of a second', () => {
    for (let i = 0; i < 50; i++) gathering.add(change(`${i % 10}`, [i, 0, i, 1]))
    expect(steps).toHaveLength(0)
    vi.advanceTimersByTime(100)
    expect(steps).toHaveLength(1)
    expect(steps[0]!.features.size).toBe(10)
    expect(steps[0]!.boxes.get('parcels')).toHaveLength(50)
  })
  test('a stream of changes is drawn now and then, and the last of it too', () => {
    for (let i = 0; i < 100; i++) {
      gathering.add(change(`${i}`, [i, 0, i, 1]))
      vi.advanceTimersByTime(20)
    }
    expect(steps.length).toBeLessThan(9)
    vi.advanceTimersByTime(400)
    expect(new Set(steps.flatMap((s) => [...s.features.keys()])).size).toBe(100)
  })
  test('more boxes than tiles are worth make it the whole collection', () => {
    for (let i = 0; i <= MAX_BOXES + 5; i++) gathering.add(change(`${i}`, [0, 0, 1, 1]))
    gathering.add(change('1', [0, 0, 1, 1], 'trees'))
    vi.advanceTimersByTime(100)
    expect([...steps[0]!.whole]).toEqual(['parcels'])
    expect(steps[0]!.boxes.has('parcels')).toBe(false)
    expect(steps[0]!.boxes.get('trees')).toHaveLength(1)
  })
  test('a change without a place touches no tile, but the feature', () => {
    gathering.add(change('1'))
    vi.advanceTimersByTime(100)
    expect(steps[0]!.boxes.size).toBe(0)
    expect([...steps[0]!.features.keys()]).toEqual(['parcels/1'])
  })
  test('an unseen page does nothing, and all of it when it is seen again', () => {
    gathering.add(change('1', [0, 0, 1, 1]))
    gathering.pause()
    gathering.add({ kind: 'reset', id: 'x' })
    vi.advanceTimersByTime(10_000)
    expect(steps).toHaveLength(0)
    gathering.resume()
    expect(steps).toHaveLength(1)
    expect(steps[0]!.all).toBe(true)
    gathering.pause()
    gathering.resume()
    expect(steps).toHaveLength(1)
  })
})
