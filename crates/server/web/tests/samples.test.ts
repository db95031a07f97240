/** The files of `styles/` speak of collections and properties that the samples really have. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { coloursOf } from '../src/style/colours'
import { base, files, presets, RECIPES, type Given } from '../src/style/treatment'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const sprite = JSON.parse(readFileSync(`${root}/crates/server/assets/sprites/hromada.json`, 'utf8')) as Record<string, unknown>
interface Sample {
  file: string
  layer?: string
  collection: string
}
const samples = (JSON.parse(readFileSync(`${root}/data-samples/samples.json`, 'utf8')) as { collections: Sample[] }).collections
/** Collections of the synthetic town, whose manifests lie beside its generator. */
const town = import.meta.glob('../../../hromada/src/sample_town/manifest/*.json', { eager: true, import: 'default' }) as Record<string, { collection: string; titles: Record<string, unknown> }>

/** Properties by collection: from the source files themselves, and the town's manifests. */
function properties(): Map<string, Set<string>> {
  const out = new Map<string, Set<string>>()
  const add = (id: string, names: Iterable<string>) => out.set(id, new Set([...(out.get(id) ?? []), ...names]))
  for (const sample of samples) {
    const path = `${root}/data-samples/${sample.file}`
    if (path.endsWith('json')) {
      const data = JSON.parse(readFileSync(path, 'utf8')) as { features: { properties: Record<string, unknown> }[] }
      add(sample.collection, data.features.flatMap((f) => Object.keys(f.properties)))
    } else {
      const info = execFileSync('ogrinfo', ['-ro', '-so', path, sample.layer ?? ''], { encoding: 'utf8' })
      add(sample.collection, [...info.matchAll(/^(\w+): (?:String|Integer|Integer64|Real|Date|DateTime)\b/gm)].map((m) => m[1]!))
    }
  }
  for (const manifest of Object.values(town)) add(manifest.collection, Object.keys(manifest.titles))
  return out
}

const known = properties()
const given = Object.values(files).flatMap((f) => Object.entries(f.collections))

test('the sample files are where the manifest says', () => {
  expect(samples.length).toBeGreaterThan(10)
  for (const sample of samples) expect(existsSync(`${root}/data-samples/${sample.file}`), sample.file).toBe(true)
})

describe.each(given)('%s', (id, style: Given) => {
  test('is a collection of the samples', () => expect([...known.keys()]).toContain(id))
  test('names properties that its source has', () => {
    const used = [...(style.classes ?? []).map((k) => k.property), ...(style.widthBy ?? []).map((w) => w.property), ...(style.iconBy ? [style.iconBy.property] : []), ...(style.registeredArea ?? []), ...(style.label ? [style.label] : [])]
    for (const name of used) expect([...known.get(id)!], name).toContain(name)
  })
  test('names a recipe, a role and symbols that exist', () => {
    expect(RECIPES).toContain(style.recipe)
    const roles = [style.colour, ...(style.classes ?? []).flatMap((k) => k.groups.map((g) => g.colour))].filter((r) => r !== undefined)
    for (const role of roles) expect(Object.keys(coloursOf('light')), role).toContain(role)
    for (const icon of [style.icon, ...Object.values(style.iconBy?.values ?? {})].filter((i) => i !== undefined)) expect(Object.keys(sprite), icon).toContain(icon)
  })
})

test('every sample collection has a drawing of its own', () => {
  for (const sample of samples) expect(given.map(([id]) => id), sample.collection).toContain(sample.collection)
})

test('presets name sample collections and themes that exist', () => {
  const themes = [...Object.keys(files), 'other']
  for (const part of [base, ...presets]) {
    for (const id of part.collections) expect([...known.keys()], id).toContain(id)
    for (const theme of part.themes) expect(themes, theme).toContain(theme)
  }
})

test('classes cover every zone of the samples once', () => {
  const zoning = JSON.parse(readFileSync(`${root}/data-samples/${samples.find((s) => s.collection === 'zoning')!.file}`, 'utf8')) as { features: { properties: { ZONE_TYPE: string } }[] }
  const values = files.zoning!.collections.zoning!.classes![0]!.groups.flatMap((g) => g.values)
  expect(new Set(values).size).toBe(values.length)
  expect([...new Set(zoning.features.map((f) => f.properties.ZONE_TYPE))].sort()).toEqual([...values].sort())
})

describe('glyphs', () => {
  const folder = `${root}/crates/server/assets/fonts`
  /** Code points of a glyph file: field 3 of the stack, field 1 of each glyph. */
  function codes(path: string): Set<number> {
    const bytes = readFileSync(path)
    let at = 0
    const varint = () => {
      let value = 0, shift = 0, byte
      do {
        byte = bytes[at++]!
        value += (byte & 127) * 2 ** shift
        shift += 7
      } while (byte > 127)
      return value
    }
    const out = new Set<number>()
    varint()
    const end = varint() + at
    while (at < end) {
      const field = varint() >> 3
      const size = varint()
      if (field === 3) {
        const next = at + size
        varint()
        out.add(varint())
        at = next
      } else at += size
    }
    return out
  }
  test.each(['Regular', 'Bold', 'Italic'])('Noto Sans %s has what Ukrainian and English are written with', (face) => {
    const have = new Set([0, 512, 1024, 8192, 8448].flatMap((s) => [...codes(`${folder}/Noto Sans ${face}/${s}-${s + 255}.pbf`)]))
    for (const letter of 'АБВГҐДЕЄЖЗИІЇЙКЛМНОПРСТУФХЦЧШЩЬЮЯабвгґдеєжзиіїйклмнопрстуфхцчшщьюяʼ’“”–—№₴…AZaz09°²«»') {
      expect(have.has(letter.codePointAt(0)!), letter).toBe(true)
    }
  })
})
