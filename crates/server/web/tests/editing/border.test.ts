import { describe, expect, test } from 'vitest'
import type { Feature, Position } from 'geojson'
import { operations, replay, type BorderStep } from '../../src/editing/border'
import type { Editable } from '../../src/editing/geometry'
import { isRefused } from '../../src/editing/outcome'
import type { WorkingSet } from '../../src/editing/shared'

/** Two squares beside each other, with the border from (1, 0) to (1, 1). */
const square = (x: number): Feature => ({ type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [[[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]] } })
const set: WorkingSet = new Map([['a', square(0)], ['b', square(1)]])
const geometry = (of: WorkingSet, key: string) => of.get(key)!.geometry as Editable

function after(steps: BorderStep[]): WorkingSet {
  const done = replay(set, steps)
  if (isRefused(done)) throw new Error(done.refused)
  return done
}
function check(steps: BorderStep[], expected: unknown) {
  expect(operations(geometry(set, 'a'), geometry(after(steps), 'a'), steps)).toEqual(expected)
}
const line = (...coordinates: Position[]) => ({ type: 'LineString', coordinates })

describe('steps on common borders', () => {
  test('are done again in every feature that has the point', () => {
    const done = after([{ did: 'move', from: [1, 1], to: [1.2, 1.1] }])
    for (const key of ['a', 'b']) expect(JSON.stringify(geometry(done, key))).toContain('[1.2,1.1]')
  })
  test('are refused where the point is no longer there', () => {
    expect(replay(set, [{ did: 'move', from: [5, 5], to: [6, 6] }])).toEqual({ refused: 'editing.not-there', at: [5, 5] })
    expect(replay(set, [{ did: 'insert', from: [0, 0], to: [5, 5], at: [1, 1] }])).toMatchObject({ refused: 'editing.not-there' })
  })
})

describe('operations', () => {
  test('all moves are one, from where each point was at first', () => {
    check(
      [{ did: 'move', from: [1, 1], to: [1.2, 1.1] }, { did: 'move', from: [1, 0], to: [1.1, 0] }, { did: 'move', from: [1.2, 1.1], to: [1.3, 1.2] }],
      [{ operation: 'move', points: [{ from: [1, 0], to: [1.1, 0] }, { from: [1, 1], to: [1.3, 1.2] }] }],
    )
  })
  test('a move there and back is none', () => {
    check([{ did: 'move', from: [1, 1], to: [2, 2] }, { did: 'move', from: [2, 2], to: [1, 1] }], [])
  })
  test('new points correct the stretch that they are in', () => {
    check(
      [{ did: 'insert', from: [1, 0], to: [1, 1], at: [1, 0.5] }, { did: 'move', from: [1, 0.5], to: [1.2, 0.5] }],
      [{ operation: 'correct', from: line([1, 0], [1, 1]), to: line([1, 0], [1.2, 0.5], [1, 1]) }],
    )
  })
  test('a new point beside a moved one begins where that one is by then', () => {
    check(
      [{ did: 'insert', from: [1, 0], to: [1, 1], at: [1.2, 0.5] }, { did: 'move', from: [1, 1], to: [1.1, 1.1] }],
      [
        { operation: 'move', points: [{ from: [1, 1], to: [1.1, 1.1] }] },
        { operation: 'correct', from: line([1, 0], [1.1, 1.1]), to: line([1, 0], [1.2, 0.5], [1.1, 1.1]) },
      ],
    )
  })
  test('points that go are named in the stretch', () => {
    const put: BorderStep[] = [{ did: 'insert', from: [1, 0], to: [1, 1], at: [1.2, 0.5] }]
    const more = after(put)
    const done = replay(more, [{ did: 'remove', at: [1.2, 0.5] }])
    if (isRefused(done)) throw new Error(done.refused)
    expect(operations(geometry(more, 'a'), geometry(done, 'a'), [{ did: 'remove', at: [1.2, 0.5] }])).toEqual([
      { operation: 'correct', from: line([1, 0], [1.2, 0.5], [1, 1]), to: line([1, 0], [1, 1]) },
    ])
    // Put in and taken out again: nothing is left to be done.
    expect(operations(geometry(set, 'a'), geometry(done, 'a'), [...put, { did: 'remove', at: [1.2, 0.5] }])).toEqual([])
  })
  test('the stretch over the end of the ring is one, too', () => {
    check(
      [{ did: 'insert', from: [0, 1], to: [0, 0], at: [-0.2, 0.5] }],
      [{ operation: 'correct', from: line([0, 1], [0, 0]), to: line([0, 1], [-0.2, 0.5], [0, 0]) }],
    )
  })
  test('what has no rings, or other rings than before, is refused', () => {
    expect(operations({ type: 'Point', coordinates: [0, 0] }, { type: 'Point', coordinates: [1, 0] }, [])).toMatchObject({ refused: 'editing.not-editable' })
    expect(operations(geometry(set, 'a'), { type: 'MultiPolygon', coordinates: [[], []] }, [])).toMatchObject({ refused: 'editing.not-there' })
  })
})
