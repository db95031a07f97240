import type { Polygon } from 'geojson'
import { afterEach, expect, test, vi } from 'vitest'
import { contains, onParcel } from '../src/lib/parcel'
import { collection } from './helpers'

const square = (w: number, s: number, e: number, n: number): Polygon => ({ type: 'Polygon', coordinates: [[[w, s], [e, s], [e, n], [w, n], [w, s]]] })
const feature = (id: string, geometry: object, properties: object) => ({ type: 'Feature', id, geometry, properties })

afterEach(() => vi.unstubAllGlobals())

test('a point in a polygon, not in its hole', () => {
  const holed: Polygon = { type: 'Polygon', coordinates: [...square(0, 0, 10, 10).coordinates, ...square(4, 4, 6, 6).coordinates] }
  expect(contains(holed, [1, 1])).toBe(true)
  expect(contains(holed, [5, 5])).toBe(false)
  expect(contains(holed, [11, 5])).toBe(false)
})

test('zones with their shares, buildings and addresses, of the collections that exist and answer', async () => {
  const answers: Record<string, unknown[]> = {
    zoning: [feature('1', square(24, 48, 24.75, 49), { zone: 'Ж-1' }), feature('2', square(24.75, 48, 26, 49), { zone: 'Г-1' }), feature('3', square(25.01, 48, 26, 49), { zone: 'В-4' })],
    buildings: [feature('1', square(24.1, 48.1, 24.2, 48.2), { address: 'вул. А, 1' }), feature('2', square(25.1, 48.1, 25.2, 48.2), { address: 'вул. Б, 2' })],
    addresses: [feature('1', { type: 'Point', coordinates: [24.5, 48.5] }, { address: 'вул. А, 1' }), feature('2', { type: 'Point', coordinates: [25.5, 48.5] }, { address: 'вул. А, 3', cadnum: 'N' })],
  }
  vi.stubGlobal('fetch', async (path: string) => {
    const id = /collections\/([^/]+)/.exec(path)![1]!
    expect(path).toContain('bbox=24,48,25,49')
    return answers[id] ? new Response(JSON.stringify({ features: answers[id] })) : new Response('{}', { status: 500 })
  })
  const catalogue = [
    collection('addresses', { theme: 'addresses', geometryType: 'point', labelProperty: 'address' }),
    collection('buildings', { theme: 'cadastre', geometryType: 'polygon', labelProperty: 'address' }),
    collection('zoning', { theme: 'zoning', geometryType: 'polygon', labelProperty: 'zone' }),
    collection('zoning-overlays', { theme: 'zoning', geometryType: 'polygon' }),
    collection('water', { theme: 'networks', geometryType: 'linestring' }),
  ]
  const found = await onParcel({ type: 'Feature', geometry: square(24, 48, 25, 49), properties: {} }, 'N', catalogue, 'uk')
  expect(found.map((x) => [x.collection.id, x.parts.map((p) => p.label)])).toEqual([['zoning', ['Ж-1', 'Г-1']], ['buildings', ['вул. А, 1']], ['addresses', ['вул. А, 1', 'вул. А, 3']]])
  expect(found[0]!.parts.map((p) => p.share)).toEqual([0.75, 0.25])
})
