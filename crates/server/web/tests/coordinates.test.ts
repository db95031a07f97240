import { describe, expect, test } from 'vitest'
import { formatCoordinates, parseCoordinates } from '../src/lib/coordinates'

const LAT = 48.92
const LON = 24.71

describe('decimal degrees', () => {
  test.each([
    '48.92, 24.71', '48.92 24.71', '48.92,24.71', '48.92;24.71', '48.92 / 24.71', ' 48.92   24.71 ', '+48.92, +24.71',
    '48,92 24,71', '48,92; 24,71', '48,92, 24,71', '48,92/24,71',
  ])('%s', (text) => {
    expect(parseCoordinates(text)?.[0]).toBeCloseTo(LON, 9)
    expect(parseCoordinates(text)?.[1]).toBeCloseTo(LAT, 9)
  })
  test('signs, the real minus, whole numbers', () => {
    expect(parseCoordinates('-48.92, −24.71')).toEqual([-24.71, -48.92])
    expect(parseCoordinates('49 25')).toEqual([25, 49])
  })
  test('longitude first where it cannot be a latitude', () => {
    expect(parseCoordinates('124.5, 48.92')).toEqual([124.5, 48.92])
  })
})

describe('degrees, minutes, seconds', () => {
  test.each([
    '48°55\'12"N 24°42\'36"E', '48°55′12″N, 24°42′36″E', 'N48°55\'12" E24°42\'36"', '48° 55\' 12" N 24° 42\' 36" E',
    '48°55,2\' 24°42,6\'', '48.92° 24.71°', '48,92° пн. ш. 24,71° сх. д.', '48°55′12″ пн.ш., 24°42′36″ сх.д.', '24°42\'36"E 48°55\'12"N',
  ])('%s', (text) => {
    expect(parseCoordinates(text)?.[0]).toBeCloseTo(LON, 6)
    expect(parseCoordinates(text)?.[1]).toBeCloseTo(LAT, 6)
  })
  test('south and west are negative', () => {
    expect(parseCoordinates('10°30\'S 20°W')).toEqual([-20, -10.5])
  })
})

describe('what is not a pair of coordinates', () => {
  test.each([
    '', '48.92', '2610100000:01:001:0001', 'вул. Шевченка 12', '127-123', '95, 200', '48.92, 24.71, 3', '48°75\'N 24°E', '48°N 24°N', 'a'.repeat(200),
    '12 Main St', '1e5, 2', '48.92,', ',', '°', '2610100000 01 001 0001',
  ])('%s', (text) => expect(parseCoordinates(text)).toBeUndefined())
})

test('written latitude first and read back', () => {
  const text = formatCoordinates([LON, LAT])
  expect(text).toBe('48.92000, 24.71000')
  expect(parseCoordinates(text)).toEqual([LON, LAT])
})
