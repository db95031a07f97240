import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { describe, expect, test } from 'vitest'
import { hueOf } from '../src/style/colours'
import { template } from '../src/style/template'
import { files } from '../src/style/treatment'

const made = template()

describe('the style for other programs', () => {
  for (const theme of ['light', 'dark'] as const) {
    const { layers, hues } = made.themes[theme]

    test(`each piece is valid once its marks are filled: ${theme}`, () => {
      for (const [key, placed] of Object.entries(layers)) {
        const text = JSON.stringify(placed).replaceAll('__label__', 'name').replaceAll('__lang__', 'uk').replaceAll('__collection__', 'c').replaceAll('__colour__', '#123456')
        expect(text, key).not.toContain('__')
        const own = (JSON.parse(text) as typeof placed).map((p) => ({ ...p.layer, source: 's' }))
        const source = { type: 'vector' as const, tiles: ['https://example.test/{z}/{x}/{y}'] }
        const errors = validateStyleMin({ version: 8, glyphs: 'https://example.test/{fontstack}/{range}', sprite: 'https://example.test/s', sources: { s: source }, layers: own as never })
        expect(errors, key).toEqual([])
      }
    })

    test(`nothing needs what only this program has: ${theme}`, () => {
      const text = JSON.stringify(layers)
      // Its own images, its points of names, and what waits for a click.
      for (const only of ['hatch:', 'app names', ' hit"']) expect(text).not.toContain(only)
    })

    test(`a collection of no file has a piece for every theme, kind and density: ${theme}`, () => {
      for (const of of ['cadastre', 'zoning', 'networks', 'addresses', 'transport', 'boundaries', 'other', ...made.media.map((m) => m.id)]) {
        for (const kind of ['point', 'line', 'area', 'mixed']) {
          for (const density of [0, 1, 2]) expect(layers[`${of} ${kind} ${density}`]?.length, `${of} ${kind} ${density}`).toBeGreaterThan(0)
        }
      }
    })

    test(`hues are numbered as the map gives them: ${theme}`, () => {
      expect(hues).toHaveLength(24)
      expect(new Set(hues).size).toBe(24)
      // FNV-1a of "a" is e40c292c.
      expect(hues[0xe40c292c % 24]).toBe(hueOf('a', theme))
    })
  }

  test('what the colours of a file mean goes with it', () => {
    const known = Object.values(files).flatMap((f) => Object.entries(f.collections)).filter(([, given]) => given.classes)
    expect(known.length).toBeGreaterThan(0)
    for (const [id, given] of known) expect(made.classes[id]).toEqual(given.classes)
  })
})
