import { describe, expect, test } from 'vitest'
import type { Bounds } from '../../src/lib/api'
import { MAX_TILES, shows, tilesOf } from '../../src/map/tiles'

const WORLD: Bounds = [-180, -85, 180, 85]
const names = (boxes: Bounds[], z: number, view = WORLD) => tilesOf(boxes, z, view)?.map((t) => `${t.x}/${t.y}`).sort()
/** Corners of a tile in degrees. */
const corner = (x: number, y: number, z: number): [number, number] => [(x / 2 ** z) * 360 - 180, (Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / 2 ** z))) * 180) / Math.PI]

describe('tiles of a box', () => {
  test('a point in the middle of a tile is in that one', () => {
    const [lon, lat] = corner(9318.5, 5682.5, 14)
    expect(names([[lon, lat, lon, lat]], 14)).toEqual(['9318/5682'])
  })
  test('near an edge the neighbour shows it too, within its buffer of 256 of 4,096', () => {
    const near = (x: number) => corner(x, 5682.5, 14)
    for (const [x, expected] of [[9319 - 0.05, 2], [9319 - 0.0626, 2], [9319 - 0.07, 1], [9319 + 0.05, 2]] as const) {
      const [lon, lat] = near(x)
      expect(names([[lon, lat, lon, lat]], 14), `${x}`).toHaveLength(expected)
    }
  })
  test('at the corner of four tiles all four', () => {
    const [lon, lat] = corner(9318, 5682, 14)
    expect(names([[lon, lat, lon, lat]], 14)).toEqual(['9317/5681', '9317/5682', '9318/5681', '9318/5682'])
  })
  test('only what the view has', () => {
    const [w, n] = corner(9318.2, 5682.2, 14)
    const [e, s] = corner(9318.8, 5682.8, 14)
    expect(names([WORLD], 14, [w, s, e, n])).toEqual(['9318/5682'])
    expect(names([WORLD], 14)).toBeUndefined()
    expect(names([[20, 40, 21, 41]], 14, [w, s, e, n])).toEqual([])
  })
  test('over the antimeridian both ends', () => {
    expect(names([[179.9, 10, -179.9, 10.1]], 4)).toEqual(['0/7', '15/7'])
    expect(names([[179.5, 10, 180.5, 10.1]], 4, [170, 0, 190, 20])).toEqual(['0/7', '15/7'])
  })
  test('beyond the ends of the world nothing breaks', () => {
    expect(names([[-200, -90, 200, 90]], 0)).toEqual(['0/0'])
    expect(tilesOf([WORLD], 10, WORLD)).toBeUndefined()
    expect(tilesOf([WORLD], 4, WORLD)!.length).toBeLessThanOrEqual(MAX_TILES)
  })
  test('a tile says the same of itself', () => {
    const box: Bounds = [24.7, 48.91, 24.72, 48.93]
    const found = new Set(names([box], 15))
    for (let x = 18630; x < 18650; x++) for (let y = 11360; y < 11380; y++) expect(shows({ z: 15, x, y }, [box]), `${x}/${y}`).toBe(found.has(`${x}/${y}`))
  })
})
