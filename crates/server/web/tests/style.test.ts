import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { describe, expect, test } from 'vitest'
import type { Collection } from '../src/lib/api'
import { colourOf, hueOf } from '../src/style/colours'
import { hitLayer } from '../src/style/layers'
import { makePattern, patternName } from '../src/style/pattern'
import { buildStyle, hitLayers, nothing, type StyleInput } from '../src/style/style'
import { files, presetLayers, presetOffered, presetReady, presets, RECIPES, treatmentOf } from '../src/style/treatment'
import { collection } from './helpers'

const known = Object.entries(files).flatMap(([theme, f]) =>
  Object.entries(f.collections).map(([id, given]): Collection => {
    const geometryType = ['street', 'pipe', 'line'].includes(given.recipe) ? 'multilinestring' : ['node', 'address', 'point'].includes(given.recipe) ? 'point' : 'multipolygon'
    return collection(id, { theme: theme as Collection['theme'], geometryType, labelProperty: 'name', bbox: [24, 48, 25, 49] })
  }),
)
const strange = ['point', 'multipoint', 'linestring', 'multilinestring', 'polygon', 'multipolygon', 'geometry'].flatMap((geometryType) =>
  (['cadastre', 'zoning', 'networks', 'addresses', 'transport', 'boundaries', 'other'] as const).flatMap((theme) =>
    [3, 300, 30_000].map((itemCount) => collection(`new ${geometryType} ${theme} ${itemCount}`, { geometryType, theme, itemCount, labelProperty: 'n' })),
  ),
)

function style(catalogue: Collection[], over: Partial<StyleInput> = {}) {
  const visible = new Set(catalogue.map((c) => c.id))
  return buildStyle({ theme: 'light', lang: 'uk', catalogue, visible, drawn: { selection: nothing, measure: nothing, names: nothing }, origin: 'https://example.test', ...over })
}

describe('the style', () => {
  for (const theme of ['light', 'dark'] as const) {
    test(`is valid by the style specification: ${theme}`, () => {
      for (const catalogue of [known, strange, [...known, ...strange], []]) {
        const made = JSON.parse(JSON.stringify(style(catalogue, { theme })))
        expect(validateStyleMin(made).map((e) => e.message)).toEqual([])
      }
    })
  }

  test('depends on its input only', () => {
    expect(JSON.stringify(style(known))).toBe(JSON.stringify(style(known)))
    expect(JSON.stringify(style(known))).not.toBe(JSON.stringify(style(known, { theme: 'dark' })))
    expect(JSON.stringify(style(known))).not.toBe(JSON.stringify(style(known, { lang: 'en' })))
  })

  test('asks only for what is visible', () => {
    const made = style(known, { visible: new Set(['parcels']) })
    expect(Object.keys(made.sources).filter((s) => !s.startsWith('app '))).toEqual(['parcels'])
  })

  test('names a font that we serve in every layer with text', () => {
    for (const layer of style([...known, ...strange]).layers) {
      if (layer.type !== 'symbol' || !layer.layout?.['text-field']) continue
      expect(['Noto Sans Regular', 'Noto Sans Bold', 'Noto Sans Italic'], layer.id).toContain((layer.layout['text-font'] as string[])[0])
    }
  })

  test('gives every layer an id of its own', () => {
    const ids = style([...known, ...strange]).layers.map((l) => l.id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('keeps tiles on the server that the page came from', () => {
    expect(JSON.stringify(style(known)).match(/https?:\/\/[^/"]+/g)!.every((u) => u === 'https://example.test')).toBe(true)
  })
})

describe('the ladder', () => {
  const made = style(known)
  const layer = (id: string) => made.layers.find((l) => l.id === id)! as { minzoom?: number; type: string; paint: Record<string, unknown> }
  test('parcels are hairlines from 15.5 without a fill of their own', () => {
    expect(layer('parcels line').minzoom).toBe(15.5)
    expect(layer('parcels line').paint['line-width']).toEqual(['interpolate', ['exponential', 1.4], ['zoom'], 15.5, 0.4, 17, 0.7, 20, 1.2])
    expect(layer('parcels fill')).toBeUndefined()
    expect(layer('parcels hit').paint['fill-opacity']).toBe(0)
  })
  test('parcel numbers come at 17, house numbers at 18', () => {
    expect(layer('parcels label').minzoom).toBe(17)
    expect(layer('addresses label').minzoom).toBe(18)
  })
  test('zones are filled by class', () => {
    expect(JSON.stringify(layer('zoning fill').paint['fill-color'])).toContain('"ZONE_TYPE"')
  })
  test('lines lie over fills, names over lines', () => {
    const order = made.layers.map((l) => l.id)
    const after = (a: string, b: string) => expect(order.indexOf(a), `${a} over ${b}`).toBeGreaterThan(order.indexOf(b))
    after('parcels line', 'zoning fill')
    after('streets line', 'streets casing')
    after('water line', 'parcels line')
    after('hydrants disc', 'water line')
    after('streets label', 'hydrants disc')
    after('city-boundary line', 'zoning fill')
  })
})

describe('clicks', () => {
  test('every visible collection answers at exactly the zooms where it is drawn', () => {
    const all = [...known, ...strange]
    const made = style(all)
    for (const { layer, collection: id } of hitLayers(all, new Set(all.map((c) => c.id)))) {
      const c = all.find((x) => x.id === id)!
      const found = made.layers.find((l) => l.id === layer) as { minzoom?: number } | undefined
      expect(found?.minzoom, layer).toBe(treatmentOf(c).minzoom)
    }
    const silent = all.filter((c) => !made.layers.some((l) => l.id === hitLayer(c.id))).map((c) => c.id)
    expect(silent).toEqual(['city-boundary'])
  })
  test('points before lines before areas, parcels before districts', () => {
    const order = hitLayers(known, new Set(known.map((c) => c.id))).map((l) => l.collection)
    const before = (a: string, b: string) => expect(order.indexOf(a), `${a} before ${b}`).toBeLessThan(order.indexOf(b))
    before('hydrants', 'water')
    before('water', 'parcels')
    before('buildings', 'zoning')
    before('parcels', 'neighborhoods')
  })
})

describe('collections never seen before', () => {
  test('are drawn, each in a hue that stays', () => {
    for (const c of strange) {
      const t = treatmentOf(c)
      expect(RECIPES).toContain(t.recipe)
      expect(style([c]).layers.some((l) => l.id.startsWith(c.id) && !l.id.includes(' hit')), c.id).toBe(true)
    }
    expect(hueOf('trees', 'light')).toBe(hueOf('trees', 'light'))
    expect(hueOf('trees', 'light')).not.toBe(hueOf('trees', 'dark'))
    expect(colourOf('trees', 'light')).toBe(hueOf('trees', 'light'))
  })
  test('many small things wait for a closer look, few are shown at once', () => {
    expect(treatmentOf(collection('a', { theme: 'cadastre', itemCount: 3 })).minzoom).toBe(0)
    expect(treatmentOf(collection('a', { theme: 'cadastre', itemCount: 200_000 })).minzoom).toBe(15.5)
    expect(treatmentOf(collection('a', { tiles: { minzoom: 9, maxzoom: 12 } })).minzoom).toBe(9)
  })
  test('a known id with another geometry is drawn by its geometry', () => {
    expect(treatmentOf(collection('parcels', { geometryType: 'point', theme: 'cadastre' })).recipe).toBe('point')
    expect(treatmentOf(collection('streets', { geometryType: 'polygon', theme: 'transport' })).recipe).toBe('area')
  })
  test('a network takes its hue from a word in its id', () => {
    expect(treatmentOf(collection('old-sewer-2', { geometryType: 'linestring', theme: 'networks' })).colour).toBe('sewer')
    expect(treatmentOf(collection('sewer-manholes', { geometryType: 'point', theme: 'networks' })).icon).toBe('manhole')
  })
})

describe('presets', () => {
  test('switch on their theme above the common ground, and only what exists', () => {
    expect(presetLayers('networks', known)).toEqual(expect.arrayContaining(['hydrants', 'water', 'parcels', 'streets', 'city-boundary']))
    expect(presetLayers('networks', known)).not.toContain('zoning')
    expect(presetLayers('cadastre', [collection('parcels', { theme: 'cadastre' })])).toEqual(['parcels'])
  })
  test('are offered when their data is there; imagery keeps its place in the file only', () => {
    expect(presets.filter(presetOffered).map((p) => p.id)).toEqual(['cadastre', 'zoning', 'networks'])
    expect(presets.some((p) => p.needs === 'imagery')).toBe(true)
    const ready = presets.filter((p) => presetReady(p, known)).map((p) => p.id)
    expect(ready).toEqual(['cadastre', 'zoning', 'networks'])
    expect(presets.filter((p) => presetReady(p, [])).length).toBe(0)
  })
})

test('a hatch repeats without a seam and answers to its own names only', () => {
  const pattern = makePattern(patternName('#7a3fa0'))!
  expect(pattern.data).toHaveLength(pattern.width * pattern.height * 4)
  const alpha = (x: number, y: number) => pattern.data[((y % 16) * 16 + (x % 16)) * 4 + 3]
  for (let i = 0; i < 16; i++) expect(alpha(i, 16 - i)).toBe(alpha(0, 0))
  expect(alpha(8, 0)).toBe(0)
  for (const name of ['', 'hatch:', 'hatch:red', 'hydrant', 'hatch:#7a3fa0"']) expect(makePattern(name)).toBeUndefined()
})
