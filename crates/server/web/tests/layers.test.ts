import { describe, expect, test } from 'vitest'
import { meansLayer, swapLayout } from '../src/lib/layers'
import { collection } from './helpers'

const water = collection('water', { title: 'Водогін', theme: 'networks', geometryType: 'linestring' })
const gas = collection('gas', { title: 'Газопровід', theme: 'networks', geometryType: 'linestring' })
const parcels = collection('parcels', { title: 'Земельні ділянки', theme: 'cadastre', geometryType: 'polygon' })
const zoning = collection('zoning', { title: 'Зонування', theme: 'zoning', geometryType: 'polygon' })
const poles = collection('old-power-poles', { title: 'Опори', theme: 'networks', geometryType: 'point' })
const all = [water, gas, parcels, zoning, poles]
const THEMES: Record<string, string> = { networks: 'Мережі', cadastre: 'Кадастр', zoning: 'Зонування' }
const found = (text: string) => all.filter((c) => meansLayer(c, text, THEMES[c.theme]!)).map((c) => c.id)

describe('layers by a word', () => {
  test.each([
    ['водопровід', ['water']], ['газ', ['gas']], ['світло', ['old-power-poles']], ['план зонування', ['zoning']], ['зонув', ['zoning']],
    ['ділянка', ['parcels']], ['земельні', ['parcels']], ['мережі', ['water', 'gas', 'old-power-poles']], ['кадастр', ['parcels']], ['parc', ['parcels']],
    ['lskzyrb', ['parcels']], ['зфкс', ['parcels']], ['вул. Бандери', []], ['0001', []],
  ])('%s', (text, ids) => expect(found(text)).toEqual(ids))
})

test('the other layout, both ways', () => {
  expect(swapLayout('lskzyrb')).toBe('ділянки')
  expect(swapLayout('ьфз')).toBe('map')
})
