import type { Polygon } from 'geojson'
import { expect, test } from 'vitest'
import { crosses } from '../src/map/identify'

const triangle: Polygon = { type: 'Polygon', coordinates: [[[0, 0], [10, 1], [4, 9], [0, 0]]] }

test('a border is where its line is, not where its ground is', () => {
  expect(crosses(triangle, [4, 2, 5, 3])).toBe(false)
  expect(crosses(triangle, [-1, -1, 1, 1])).toBe(true)
  // The line passes through without a corner inside.
  expect(crosses(triangle, [6, 4, 8, 5])).toBe(true)
  expect(crosses(triangle, [20, 20, 21, 21])).toBe(false)
})

test('the straight cuts of a tile are no border', () => {
  expect(crosses({ type: 'Polygon', coordinates: [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]] }, [-1, -1, 1, 1])).toBe(false)
})
