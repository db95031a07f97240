import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { colourOf, coloursOf, contrast, hueOf, over, symbolOn, type Role } from '../src/style/colours'
import { files } from '../src/style/treatment'

const css = readFileSync(new URL('../src/app.css', import.meta.url), 'utf8')
const THEMES = ['light', 'dark'] as const
/** Lines and symbols that carry a meaning: WCAG 2.2, 1.4.11 asks for 3:1. */
const LINES: Role[] = ['parcel', 'parcel-quiet', 'easement', 'quarter', 'cadastral-zone', 'boundary', 'district', 'ward', 'settlement', 'address', 'overlay', 'water', 'sewer', 'power', 'heat', 'telecom', 'drainage', 'lighting', 'selection', 'measure']
const ZONES = ['residential', 'dense', 'business', 'office', 'industry', 'open', 'mixed', 'special', 'farm', 'other'].map((z) => `zone-${z}` as Role)
/** Text: WCAG 2.2, 1.4.3 asks for 4.5:1. Names in the colour of their border stand on a halo. */
const TEXTS: Role[] = ['label', 'labelSoft', 'parcelNumber', 'district', 'quarter', 'cadastral-zone', 'boundary', 'ward', 'overlay', 'address', 'water', 'measure']

test('the formula agrees with WCAG’s own ends of the scale', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5)
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2)
})

describe.each(THEMES)('map, %s', (theme) => {
  const c = coloursOf(theme)
  const grounds: Role[] = ['land', 'block']
  test.each(LINES.flatMap((line) => grounds.map((g) => [line, g] as const)))('%s on %s', (line, ground) => {
    expect(contrast(c[line], c[ground])).toBeGreaterThanOrEqual(3)
  })
  test.each(ZONES)('border of %s on land', (zone) => {
    expect(contrast(c[zone], c.land)).toBeGreaterThanOrEqual(3)
  })
  test.each(TEXTS)('text %s on its halo', (text) => {
    expect(contrast(c[text], c.halo)).toBeGreaterThanOrEqual(4.5)
  })
  test.each(ZONES)('zone codes on %s', (zone) => {
    expect(contrast(c.label, over(c[zone], 0.42, c.land))).toBeGreaterThanOrEqual(4.5)
  })
  test('parcel borders on every zone', () => {
    for (const zone of ZONES) expect(contrast(c.parcel, over(c[zone], 0.18, c.land)), zone).toBeGreaterThanOrEqual(2.4)
  })
  test('symbols on their discs', () => {
    const discs = Object.values(files.networks!.collections).filter((x) => x.recipe === 'node').map((x) => colourOf(x.colour!, theme))
    for (const disc of discs) expect(contrast(symbolOn(disc, theme), disc)).toBeGreaterThanOrEqual(3)
  })
  test('gas: the yellow in its dark edge, one of them on the ground', () => {
    expect(contrast(c.gas, c['gas-casing'])).toBeGreaterThanOrEqual(4.5)
    for (const ground of grounds) expect(Math.max(contrast(c.gas, c[ground]), contrast(c['gas-casing'], c[ground]))).toBeGreaterThanOrEqual(4.5)
  })
  test('the selection in its casing', () => expect(contrast(c.selection, c.selectionCasing)).toBeGreaterThanOrEqual(4.5))
  test('invented hues stand out from the ground', () => {
    for (let i = 0; i < 500; i++) expect(contrast(hueOf(`layer ${i}`, theme), c.land), hueOf(`layer ${i}`, theme)).toBeGreaterThanOrEqual(3)
  })
})

describe.each(THEMES)('interface, %s', (theme) => {
  const block = theme === 'light' ? css.slice(css.indexOf(':root {'), css.indexOf('}')) : css.slice(css.indexOf("[data-theme='dark'] {"))
  const colour = (name: string) => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(block)![1]!
  test.each([
    ['ink', 'surface'], ['ink', 'hover'], ['ink', 'accent-soft'], ['ink', 'field'], ['muted', 'surface'], ['muted', 'tint'], ['muted', 'hover'], ['muted', 'field'], ['muted', 'accent-soft'],
    ['accent', 'surface'], ['accent', 'accent-soft'], ['on-accent', 'accent'], ['warning', 'warning-soft'],
  ])('text %s on %s', (text, ground) => expect(contrast(colour(text), colour(ground))).toBeGreaterThanOrEqual(4.5))
  test('focus ring on every ground', () => {
    for (const ground of ['surface', 'tint', 'hover', 'field']) expect(contrast(colour('accent'), colour(ground)), ground).toBeGreaterThanOrEqual(3)
  })
})
