import { afterEach, describe, expect, test, vi } from 'vitest'
import { asCollectionHas, createRequest, failed, fingerprint, operationRequest, patchRequest, send } from '../../src/editing/send'

afterEach(() => vi.unstubAllGlobals())

function answers(response: () => Response | Promise<Response>) {
  const asked = vi.fn((_path: string, _init: RequestInit) => Promise.resolve(response()))
  vi.stubGlobal('fetch', asked)
  return asked
}
const json = (status: number, body: unknown, headers: Record<string, string> = {}) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
const patch = patchRequest('plots', 'a/b', { properties: { x: null } }, '"tag"')

describe('what is sent', () => {
  test('key, condition, reason and media type are headers; nothing of them is in the address', async () => {
    const asked = answers(() => json(200, { type: 'Feature', id: 1 }, { etag: '"new"', 'hromada-change': 'e.7' }))
    expect(await send(patch, { key: 'k', reason: ' рішення № 12 ', lang: 'uk' })).toMatchObject({ kind: 'done', etag: '"new"', change: 'e.7', count: 1 })
    const [path, init] = asked.mock.calls[0]!
    expect(path).toBe('/collections/plots/items/a%2Fb')
    expect(init).toMatchObject({ method: 'PATCH', body: '{"properties":{"x":null}}' })
    expect(init.headers).toMatchObject({ 'If-Match': '"tag"', 'Idempotency-Key': '"k"', 'Content-Type': 'application/merge-patch+json', 'Hromada-Reason': encodeURIComponent('рішення № 12'), 'Accept-Language': 'uk' })
  })
  test('the same request has the same fingerprint, another body another', () => {
    expect(fingerprint(patch)).toBe(fingerprint({ ...patch }))
    expect(fingerprint(patch)).not.toBe(fingerprint({ ...patch, body: '{}' }))
    expect(fingerprint(patch)).not.toBe(fingerprint({ ...patch, path: '/other' }))
  })
  test('tags of parcels go with an operation', () => {
    expect(JSON.parse(operationRequest('plots', { operation: 'move' }, { 5: '"t"' }).body!)).toEqual({ operation: 'move', 'if-match': { 5: '"t"' } })
    expect(JSON.parse(operationRequest('plots', { operation: 'move' }, {}).body!)).toEqual({ operation: 'move' })
  })
  test('a single geometry goes as the Multi type where the collection has that', () => {
    expect(asCollectionHas({ type: 'Point', coordinates: [1, 2] }, 'multipoint')).toEqual({ type: 'MultiPoint', coordinates: [[1, 2]] })
    expect(asCollectionHas({ type: 'Point', coordinates: [1, 2] }, 'point').type).toBe('Point')
    expect(createRequest('a b', null, {}).path).toBe('/collections/a%20b/items')
  })
})

describe('what comes back', () => {
  test('features that an operation made are named by their ids, and its changes counted', async () => {
    answers(() => json(200, { summary: { totalInserted: 2, totalDeleted: 1, totalUpdated: 3 }, insertResults: ['http://x/collections/p/items/a%3Ab', 'http://x/collections/p/items/4'] }))
    expect(await send(patch, { key: 'k', lang: 'uk' })).toMatchObject({ kind: 'done', ids: ['a:b', '4'], count: 6 })
  })
  test('no answer, or that of a gateway, leaves the outcome unknown', async () => {
    answers(() => Promise.reject(new TypeError('network')))
    expect(await send(patch, { key: 'k', lang: 'uk' })).toEqual({ kind: 'unknown' })
    answers(() => new Response('<html>', { status: 502 }))
    expect(await send(patch, { key: 'k', lang: 'uk' })).toEqual({ kind: 'unknown' })
  })
  test.each([[412, 'conflict'], [401, 'signed-out'], [403, 'refused'], [409, 'refused'], [422, 'wrong'], [503, 'unknown']])('%i is %s', (status, kind) => {
    expect(failed(status, { detail: 'x', errors: [{ pointer: '/properties/a', detail: 'b' }] }).kind).toBe(kind)
  })
  test('flaws keep their places', () => {
    expect(failed(422, { detail: 'x', errors: [{ pointer: '/properties/a', detail: 'b' }, {}] })).toEqual({ kind: 'wrong', detail: 'x', errors: [{ pointer: '/properties/a', detail: 'b' }, { pointer: '', detail: 'x' }] })
  })
})
