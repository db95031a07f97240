import type { Geometry } from 'geojson'
import { describe, expect, test } from 'vitest'
import { classOf, shortNumber } from '../src/map/identify'
import { distanceTo } from '../src/lib/geodesy'
import { fitText } from '../src/style/fit'
import { collection } from './helpers'

const box = (w: number, h: number, x = 24.71, y = 48.92): Geometry => ({ type: 'Polygon', coordinates: [[[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]] })

describe('room for a parcel number', () => {
  test('twice the width is one zoom less', () => {
    const one = fitText(box(0.0002, 0.0002), '0001')!
    const two = fitText(box(0.0004, 0.0004), '0001')!
    expect(one.zoom - two.zoom).toBeCloseTo(1, 0)
  })
  test('longer text needs a closer look', () => {
    expect(fitText(box(0.0002, 0.0002), '123-4567')!.zoom).toBeGreaterThan(fitText(box(0.0002, 0.0002), '1')!.zoom)
  })
  test('the place lies inside, in a bent parcel too', () => {
    const bent: Geometry = { type: 'Polygon', coordinates: [[[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4], [0, 0]].map(([x, y]) => [24.71 + x! * 1e-4, 48.92 + y! * 1e-4])] }
    const fit = fitText(bent, '0042')!
    expect(distanceTo(bent, fit.at)).toBe(0)
    expect(fit.at[1]).toBeLessThan(48.9201)
  })
  test('a hole is not room', () => {
    const holed: Geometry = { type: 'Polygon', coordinates: [[[0, 0], [9, 0], [9, 3], [0, 3], [0, 0]], [[1, 0.1], [8, 0.1], [8, 2.9], [1, 2.9], [1, 0.1]]].map((r) => r.map(([x, y]) => [24.71 + x! * 1e-4, 48.92 + y! * 1e-4])) }
    const fit = fitText(holed, '7')!
    expect(distanceTo(holed, fit.at)).toBe(0)
  })
  test('of several parts, the roomiest', () => {
    const [small, large] = [box(0.0001, 0.0001), box(0.0005, 0.0005, 24.72)]
    const both: Geometry = { type: 'MultiPolygon', coordinates: [small, large].map((g) => (g as { coordinates: number[][][] }).coordinates) }
    expect(fitText(both, '1')).toEqual(fitText(large, '1'))
  })
  test('nothing for lines, points and broken rings', () => {
    expect(fitText({ type: 'Point', coordinates: [1, 2] }, '1')).toBeUndefined()
    expect(fitText({ type: 'Polygon', coordinates: [] }, '1')).toBeUndefined()
    expect(fitText({ type: 'Polygon', coordinates: [[[1, 1], [1, 1], [1, 1], [1, 1]]] }, '1')).toBeUndefined()
  })
})

test('a cadastral number is written by its last part, any other whole', () => {
  expect(shortNumber('2610100000:01:001:0042')).toBe('0042')
  expect(shortNumber('2610100000:06:002')).toBe('002')
  expect(shortNumber('2610100000:06')).toBe('06')
  expect(shortNumber('127-123')).toBe('127-123')
})

test('the class of a feature comes from the first property that it has', () => {
  const zoning = collection('zoning', { theme: 'zoning' })
  expect(classOf(zoning, { ZONE_TYPE: 'OS' })).toBe('ZONE_TYPE|open')
  expect(classOf(zoning, { zone: 'Ж-1' })).toBe('zone|residential')
  expect(classOf(zoning, { ZONE_TYPE: 'new' })).toBe('other')
  expect(classOf(zoning, null)).toBe('other')
})

test('beside a building where there is room, upon it where there is none', () => {
  const square = (w: number, s: number, e: number, n: number) => ({ type: 'Polygon' as const, coordinates: [[[w, s], [e, s], [e, n], [w, n], [w, s]]] })
  const plot = square(24, 48, 24.001, 48.0005)
  const house = square(24.0003, 48.0001, 24.0007, 48.0004)
  expect(fitText(plot, '0014')!.at[0]).toBeCloseTo(24.0005, 4)
  const beside = fitText(plot, '0014', [house])!.at
  expect(beside[0]! < 24.0003 || beside[0]! > 24.0007 || beside[1]! < 48.0001 || beside[1]! > 48.0004).toBe(true)
  expect(fitText(plot, '0014', [square(23, 47, 25, 49)])).toEqual(fitText(plot, '0014'))
})
