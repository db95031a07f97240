import { describe, expect, test } from 'vitest'
import { formatCoordinates, parseCoordinates, readCoordinates } from '../src/lib/coordinates'

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

describe('which order', () => {
  const town = [[24.6, 48.8, 24.8, 49.0]] as const
  test('the swapped one first where only it lies in the data, and both are offered', () => {
    expect(readCoordinates('24.71 48.92', town)).toEqual([[24.71, 48.92], [48.92, 24.71]])
    expect(parseCoordinates('24,71; 48,92', town)).toEqual([24.71, 48.92])
  })
  test('latitude first else', () => {
    expect(readCoordinates('48.92 24.71', town)).toEqual([[24.71, 48.92]])
    expect(readCoordinates('24.71 48.92')).toEqual([[48.92, 24.71]])
    expect(readCoordinates('24.71 N 48.92 E', town)).toEqual([[48.92, 24.71]])
  })
})

describe('as other programs write them', () => {
  test.each([
    '48.92 N 24.71 E', 'N48.92 E24.71', 'N 48.92, E 24.71', '24.71E 48.92N', '48,92 пн. ш. 24,71 сх. д.', '(48.92, 24.71)', '[48.92 24.71]',
    '48 55 12 24 42 36', '48:55:12 24:42:36', '48 55 12.0 N, 24 42 36.0 E', 'N 48 55 12 E 24 42 36', 'geo:48.92,24.71', 'geo:48.92,24.71;u=35', 'geo:48.92,24.71?z=17',
    'https://maps.example/maps/@48.92,24.71,17z', 'https://maps.example/place/X/@48.92,24.71,17.5z/data=1', 'https://osm.example/#map=17/48.92/24.71',
    'https://osm.example/?mlat=48.92&mlon=24.71', 'https://maps.example/?q=48.92,24.71', 'https://maps.example/search/?api=1&query=48.92%2C24.71',
    'Широта 48.92 Довгота 24.71', 'широта: 48,92, довгота: 24,71', 'Довгота 24.71 Широта 48.92', 'lat 48.92 lon 24.71', 'Latitude: 48.92, Longitude: 24.71', 'lat=48.92, lng=24.71',
  ])('%s', (text) => {
    expect(parseCoordinates(text)?.[0]).toBeCloseTo(LON, 6)
    expect(parseCoordinates(text)?.[1]).toBeCloseTo(LAT, 6)
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
    '12 Main St', '48 75 00 24 42 36', 'N48.92 N24.71', 'geo:95,200', 'https://example.test/', 'latvia 48 24', 'широта 48', '1e5, 2', '48.92,', ',', '°', '2610100000 01 001 0001',
  ])('%s', (text) => expect(parseCoordinates(text)).toBeUndefined())
})

test('written latitude first and read back', () => {
  const text = formatCoordinates([LON, LAT])
  expect(text).toBe('48.92000, 24.71000')
  expect(parseCoordinates(text)).toEqual([LON, LAT])
})
