import { expect, test } from 'vitest'
import { trace } from '../../src/editing/trace'
import { feature, polygon } from './cases'

const set = new Map([
  ['a', feature(polygon([[0, 0], [1, 0], [2, 0], [2, 2], [0, 2]]))],
  ['b', feature(polygon([[0, 0], [0, -2], [2, -2], [2, 0], [1, 0]]))],
  ['l', feature({ type: 'LineString', coordinates: [[5, 5], [6, 5], [7, 5], [8, 5]] })],
  ['m', feature({ type: 'MultiPoint', coordinates: [[5, 5], [8, 5]] })],
])
const ways = (from: number[], to: number[]) => trace(set, from, to).map((way) => [way.feature, way.positions])

test('along a ring both ways, the shorter first, and a shared border once', () => {
  expect(ways([0, 0], [2, 0])).toEqual([['a', [[1, 0], [2, 0]]], ['a', [[0, 2], [2, 2], [2, 0]]], ['b', [[0, -2], [2, -2], [2, 0]]]])
  expect(ways([2, 0], [0, 0])[0]![1]).toEqual([[1, 0], [0, 0]])
  // Over the closing vertex.
  expect(ways([0, 2], [1, 0])[0]).toEqual(['a', [[0, 0], [1, 0]]])
})

test('along a line, and nowhere else', () => {
  expect(ways([5, 5], [8, 5])).toEqual([['l', [[6, 5], [7, 5], [8, 5]]]])
  expect(ways([7, 5], [5, 5])).toEqual([['l', [[6, 5], [5, 5]]]])
  expect(ways([0, 0], [5, 5])).toEqual([])
  expect(ways([0, 0], [0, 0])).toEqual([])
  expect(ways([0, 0], [1.5, 0])).toEqual([])
})
