import type { Feature } from 'geojson'
import { describe, expect, test } from 'vitest'
import { readCollection, readSchema } from '../src/lib/api'
import { shortcut } from '../src/lib/keys'
import { apiId, fallbackName, labelOf } from '../src/lib/refs'
import { registeredArea, rowsOf } from '../src/lib/values'
import { collection } from './helpers'

const schema = readSchema({
  geometry: { 'x-ogc-role': 'primary-geometry' },
  use: { title: 'Use', type: 'string', anyOf: [{ const: '101', title: 'Single family' }, { type: 'string' }], 'x-ogc-propertySeq': 2 },
  land: { title: 'Land', type: 'number', 'x-ogc-unit': '[ft_i]2', 'x-ogc-propertySeq': 1 },
  year: { title: 'Year', type: 'integer', 'x-ogc-propertySeq': 3 },
  tested: { title: 'Tested', type: 'integer', 'x-ogc-unit': 'ms', 'x-ogc-propertySeq': 4 },
  ok: { title: 'OK', type: 'boolean' },
})
const feature = (properties: Record<string, unknown>): Feature => ({ type: 'Feature', geometry: { type: 'Point', coordinates: [0, 0] }, properties })
const texts = (properties: Record<string, unknown>) => Object.fromEntries(rowsOf(feature(properties), schema, 'en').map((r) => [r.title, r.text]))

describe('rows of a card', () => {
  test('titles, units, known values, years without grouping, dates', () => {
    expect(texts({ use: '101', land: 9780.5, year: 1894, tested: 1767225600000, ok: false })).toEqual({
      Land: '9,780.5 sq ft', Use: 'Single family (101)', Year: '1894', Tested: '1 January 2026', OK: 'no',
    })
  })
  test('in the schema’s order, without the empty ones, with what the schema does not know', () => {
    expect(rowsOf(feature({ extra: 'x', use: 'new code', land: null, year: '' }), schema, 'en').map((r) => `${r.title}=${r.text}`)).toEqual(['Use=new code', 'extra=x'])
  })
  test('only web addresses become links', () => {
    const hrefs = rowsOf(feature({ a: 'https://example.test/x', b: 'javascript:alert(1)', c: 'see https://example.test' }), [], 'en').map((r) => r.href)
    expect(hrefs).toEqual(['https://example.test/x', undefined, undefined])
  })
})

test('the area on record, in square metres', () => {
  expect(registeredArea(feature({ land: 1000 }), schema, ['area_m2', 'land'])).toBeCloseTo(92.903, 3)
  expect(registeredArea(feature({ area_m2: 600 }), schema, ['area_m2', 'land'])).toBe(600)
  expect(registeredArea(feature({ land: 0 }), schema, ['land'])).toBeUndefined()
  expect(registeredArea(feature({ year: 5 }), schema, ['year'])).toBeUndefined()
})

describe('what the server says of collections', () => {
  test('a box with heights, missing parts, unknown themes', () => {
    const c = readCollection({ id: 'x', extent: { spatial: { bbox: [[1, 2, 0, 3, 4, 9]] } }, theme: 'magic' as never, tiles: { minzoom: -3, maxzoom: Number.NaN } })
    expect(c).toMatchObject({ title: 'x', bbox: [1, 2, 3, 4], theme: 'other', geometryType: 'geometry', tiles: { minzoom: 0, maxzoom: 14 }, itemCount: 0 })
  })
  test('no extent where there are no features', () => {
    expect(readCollection({ id: 'x', extent: { spatial: { bbox: [] } } }).bbox).toBeUndefined()
  })
})

describe('features of tiles', () => {
  test('the API’s id, numbers and texts', () => {
    expect(apiId({ id: 7, properties: {} })).toBe('7')
    expect(apiId({ id: 7, properties: { _id: 'UA26' } })).toBe('UA26')
    expect(apiId({ properties: null })).toBeUndefined()
    expect(apiId({ id: 0, properties: {} })).toBe('0')
  })
  test('names in the reader’s language, where the data has them', () => {
    const c = collection('h', { labelProperty: 'name' })
    expect(labelOf({ name: 'Галич', name_en: 'Halych' }, c, 'en')).toBe('Halych')
    expect(labelOf({ name: 'Галич', name_en: 'Halych' }, c, 'uk')).toBe('Галич')
    expect(labelOf({ name: null }, c, 'uk')).toBe('')
    expect(labelOf({ name: 'x' }, undefined, 'uk')).toBe('')
    expect(fallbackName({ collection: 'h', id: '3' }, collection('h', { itemCount: 1, title: 'City' }), (id) => `No. ${id}`)).toBe('City')
  })
})

describe('keys', () => {
  const key = (key: string, code = '', more: object = {}) => ({ key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, target: null, isComposing: false, ...more }) as never
  test('work on a Ukrainian keyboard by their place', () => {
    expect(shortcut(key('l', 'KeyL'), true)).toBe('layers')
    expect(shortcut(key('д', 'KeyL'), true)).toBe('layers')
    expect(shortcut(key('.', 'Slash'), true)).toBe('search')
    expect(shortcut(key('х', 'BracketLeft'), true)).toBe('previous')
  })
  test('leave text fields and the browser’s own combinations alone', () => {
    const field = { target: { tagName: 'INPUT', type: 'text' } }
    expect(shortcut(key('/', 'Slash', field), true)).toBeUndefined()
    expect(shortcut(key('/', 'Slash', { target: { tagName: 'INPUT', type: 'checkbox' } }), true)).toBe('search')
    expect(shortcut(key('l', 'KeyL', { ctrlKey: true }), true)).toBeUndefined()
    expect(shortcut(key('Escape', 'Escape', field), true)).toBe('back')
  })
  test('can be switched off, Escape stays', () => {
    expect(shortcut(key('/', 'Slash'), false)).toBeUndefined()
    expect(shortcut(key('Escape', 'Escape'), false)).toBe('back')
  })
})
