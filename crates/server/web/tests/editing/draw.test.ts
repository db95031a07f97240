import type { Position } from 'geojson'
import { describe, expect, test } from 'vitest'
import { beginDrawing, draw, resumeDrawing, type DrawEvent, type Drawing, type Shape } from '../../src/editing/draw'
import { box, polygon } from './cases'

const add = (...positions: Position[]): DrawEvent[] => positions.map((position) => ({ type: 'add', position }))
const run = (start: Drawing | Shape, ...events: DrawEvent[]) => events.reduce(draw, typeof start === 'string' ? beginDrawing(start) : start)
const finish: DrawEvent = { type: 'finish' }
const move = (position?: Position): DrawEvent => (position ? { type: 'move', position } : { type: 'move' })

describe('point and line', () => {
  test('a point is done with its first position', () => {
    expect(run('point', ...add([1, 2]))).toMatchObject({ status: 'finished', geometry: { type: 'Point', coordinates: [1, 2] } })
  })
  test('a line needs two positions', () => {
    expect(run('line', finish)).toMatchObject({ status: 'drawing', refused: { refused: 'editing.too-few-points' } })
    expect(run('line', ...add([0, 0]), finish)).toMatchObject({ status: 'drawing', refused: { refused: 'editing.too-few-points', at: [0, 0] } })
    expect(run('line', ...add([0, 0], [1, 1]), finish).geometry).toEqual({ type: 'LineString', coordinates: [[0, 0], [1, 1]] })
  })
  test('a second click upon the last position finishes; upon the only one it does nothing', () => {
    expect(run('line', ...add([0, 0], [1, 1], [1, 1])).geometry).toEqual({ type: 'LineString', coordinates: [[0, 0], [1, 1]] })
    expect(run('line', ...add([0, 0], [0, 0]))).toMatchObject({ positions: [[0, 0]], refused: { refused: 'editing.same-place' } })
  })
  test('a line may cross itself and come back to its beginning', () => {
    const line = run('line', ...add([0, 0], [2, 2], [0, 2], [2, 0], [0, 0]), finish)
    expect(line.problems).toEqual([])
    expect(line.geometry!.coordinates).toHaveLength(5)
  })
})

describe('polygon', () => {
  test('closes by its first vertex, by the last one again, and by finishing', () => {
    const ring = { type: 'Polygon', coordinates: [[[0, 0], [4, 0], [4, 4], [0, 0]]] }
    expect(run('polygon', ...add([0, 0], [4, 0], [4, 4], [0, 0])).geometry).toEqual(ring)
    expect(run('polygon', ...add([0, 0], [4, 0], [4, 4], [4, 4])).geometry).toEqual(ring)
    expect(run('polygon', ...add([0, 0], [4, 0], [4, 4]), finish).geometry).toEqual(ring)
  })
  test('with two corners it cannot close', () => {
    expect(run('polygon', ...add([0, 0], [4, 0], [0, 0]))).toMatchObject({ status: 'drawing', positions: [[0, 0], [4, 0]], refused: { refused: 'editing.too-few-points' } })
    expect(run('polygon', ...add([0, 0], [4, 0], [4, 0]))).toMatchObject({ status: 'drawing', refused: { refused: 'editing.same-place' } })
    expect(run('polygon', ...add([0, 0], [4, 0]), finish).refused?.refused).toBe('editing.too-few-points')
  })
  test('a crossing side is shown before it is drawn, and after', () => {
    const open = run('polygon', ...add([0, 0], [4, 0], [4, 4], [2, 2]))
    expect(run(open, move([2, 1])).problems).toEqual([])
    expect(run(open, move([2, -2])).problems).toEqual([{ reason: 'editing.crosses-itself', at: [2, 0] }])
    expect(run(open, move([2, -2]), move()).problems).toEqual([])
    expect(run(open, move([2, 0])).problems).toEqual([{ reason: 'editing.touches-itself', at: [2, 0] }])
    expect(run(open, move([0, 0])).problems).toEqual([])
    // Straight back over the side before.
    expect(run('polygon', ...add([0, 0], [4, 0]), move([2, 0])).problems).toMatchObject([{ reason: 'editing.crosses-itself' }])
    const crossed = run(open, ...add([2, -2]), move([0, -1]))
    expect(crossed.problems).toEqual([{ reason: 'editing.crosses-itself', at: [2, 0] }])
    const refused = run(crossed, finish)
    expect(refused).toMatchObject({ status: 'drawing', refused: { refused: 'editing.crosses-itself', at: [2, 0] } })
    expect(run(refused, { type: 'remove-last' })).toMatchObject({ positions: open.positions, problems: [], refused: undefined })
  })
  test('the closing side counts when it finishes', () => {
    expect(run('polygon', ...add([0, 0], [4, 4], [4, 0], [0, 4]), finish).refused).toEqual({ refused: 'editing.crosses-itself', at: [2, 2] })
    expect(run('polygon', ...add([0, 0], [1, 1], [2, 2]), finish).refused?.refused).toBe('editing.zero-area')
  })
})

describe('hole', () => {
  const within = polygon(box(0, 0, 10, 10), box(6, 6, 8, 8)).coordinates
  const hole = (...positions: Position[]) => run(beginDrawing('hole', within), ...add(...positions))
  test('within the polygon it is a ring', () => {
    expect(run(hole([1, 1], [3, 1], [1, 3]), finish).geometry).toEqual({ type: 'Polygon', coordinates: [[[1, 1], [3, 1], [1, 3], [1, 1]]] })
  })
  test('crossing the shell and other holes is shown, and refused', () => {
    expect(hole([1, 1], [11, 1]).problems).toEqual([{ reason: 'editing.hole-crosses-shell', at: [10, 1] }])
    expect(run(hole([5, 7]), move([7, 7])).problems).toEqual([{ reason: 'editing.holes-cross', at: [6, 7] }])
    expect(run(hole([1, 1], [11, 1], [1, 3]), finish).refused?.refused).toBe('editing.hole-crosses-shell')
    expect(run(hole([11, 1], [12, 1], [11, 2]), finish).refused?.refused).toBe('editing.hole-outside')
    expect(run(hole([5, 5], [9, 5], [9, 9], [5, 9]), finish).refused?.refused).toBe('editing.holes-cross')
  })
  test('what was wrong before does not keep a good hole away', () => {
    const bad = polygon(box(0, 0, 10, 10), box(9, 9, 11, 11)).coordinates
    expect(run(beginDrawing('hole', bad), ...add([1, 1], [3, 1], [1, 3]), finish).status).toBe('finished')
    expect(run(beginDrawing('hole', bad), ...add([-1, 1], [3, 1], [1, 3]), finish).status).toBe('drawing')
  })
})

describe('cut', () => {
  test('two positions or more, also closed, not crossing itself', () => {
    expect(run('cut', ...add([0, 0], [1, 1]), finish).geometry).toEqual({ type: 'LineString', coordinates: [[0, 0], [1, 1]] })
    expect(run('cut', ...add([0, 0], [1, 0], [1, 1], [0, 0])).geometry).toEqual({ type: 'LineString', coordinates: [[0, 0], [1, 0], [1, 1], [0, 0]] })
    expect(run('cut', ...add([0, 0], [1, 0], [0, 0]))).toMatchObject({ positions: [[0, 0], [1, 0]], refused: { refused: 'editing.too-few-points' } })
    expect(run('cut', ...add([0, 0], [2, 2], [0, 2], [2, 0]), finish)).toMatchObject({ problems: [{ reason: 'editing.crosses-itself' }], refused: { refused: 'editing.crosses-itself', at: [1, 1] } })
  })
})

describe('other events', () => {
  test('typed coordinates are taken to the last digit, other text is refused', () => {
    const typed = run('line', { type: 'type', text: '48.922633412345, 24.711111987654' })
    expect(typed.positions).toEqual([[24.711111987654, 48.922633412345]])
    const wrong = run(typed, { type: 'type', text: 'вул. Шевченка 12' })
    expect(wrong).toMatchObject({ positions: typed.positions, refused: { refused: 'editing.not-coordinates' } })
    expect(run(wrong, move([1, 1])).refused).toBeUndefined()
  })
  test('the last position goes, down to none', () => {
    const back: DrawEvent = { type: 'remove-last' }
    expect(run('line', ...add([0, 0], [1, 1]), back).positions).toEqual([[0, 0]])
    expect(run('line', ...add([0, 0]), back, back).positions).toEqual([])
  })
  test('after the end nothing happens any more, and states are never changed', () => {
    const start = run('polygon', ...add([0, 0], [4, 0]))
    const copy = structuredClone(start)
    const cancelled = run(start, { type: 'cancel' })
    expect(cancelled.status).toBe('cancelled')
    expect(run(cancelled, ...add([1, 1]))).toBe(cancelled)
    const finished = run(start, ...add([4, 4]), finish)
    expect(run(finished, { type: 'cancel' })).toBe(finished)
    expect(start).toEqual(copy)
  })
  test('a drawing that is taken up again has the same problems', () => {
    const drawn = run('polygon', ...add([0, 0], [4, 0], [4, 4], [2, -2]))
    expect(resumeDrawing('polygon', drawn.positions)).toEqual({ ...drawn, refused: undefined })
    expect(drawn.problems).toHaveLength(1)
  })
})
