/**
 * The map's look for programs other than this one, in pieces that the server puts together for the collections that a reader sees: QGIS, MapLibre and
 * others read it as a style. What differs from collection to collection stands as a mark in the text.
 */
import type { Collection, ThemeId } from '../lib/api'
import type { Lang } from '../lib/i18n'
import type { Theme } from '../lib/permalink'
import { coloursOf, hueOf } from './colours'
import { layersOf, type Placed } from './layers'
import { files, fits, media, treatmentOf, type Classes } from './treatment'

/** Marks that the server fills in: the id, the property that names a feature, the language, and the hue of a collection that the files do not know. */
const ID = '__collection__'
const LABEL = '__label__'
const LANG = '__lang__'
const COLOUR = '__colour__'

const THEMES: Theme[] = ['light', 'dark']
const KINDS = { point: 'point', line: 'linestring', area: 'polygon', mixed: 'geometry' }
/** Numbers of features in each class of density; see `dense`. */
const DENSITIES = [0, 201, 2001]
const COLLECTION_THEMES: ThemeId[] = ['cadastre', 'zoning', 'networks', 'addresses', 'transport', 'boundaries', 'other']

export interface Template {
  themes: Record<Theme, {
    land: string
    hues: string[]
    /** By `id kind` for those that the files know, else by `theme kind density` or `medium kind density`. */
    layers: Record<string, Placed[]>
  }>
  /** Networks by a word in their id. */
  media: { id: string; match: string[] }[]
  /** What the colours and symbols of a collection mean, for the legend. */
  classes: Record<string, Classes[]>
}

export function template(): Template {
  const themes = Object.fromEntries(THEMES.map((theme) => [theme, themed(theme)])) as Template['themes']
  const known = Object.values(files).flatMap((f) => Object.entries(f.collections))
  const classes = Object.fromEntries(known.flatMap(([id, given]) => (given.classes ? [[id, given.classes]] : [])))
  return { themes, media: media.map(({ id, match }) => ({ id, match })), classes }
}

function themed(theme: Theme): Template['themes'][Theme] {
  const layers: Record<string, Placed[]> = {}
  for (const file of Object.values(files)) {
    for (const [id, given] of Object.entries(file.collections)) {
      for (const [kind, geometryType] of Object.entries(KINDS)) {
        const c = collection(id, geometryType, file.theme as ThemeId, 0)
        if (fits(given.recipe, c)) layers[`${id} ${kind}`] = made(c, theme)
      }
    }
  }
  for (const [kind, geometryType] of Object.entries(KINDS)) {
    DENSITIES.forEach((count, density) => {
      for (const of of COLLECTION_THEMES) layers[`${of} ${kind} ${density}`] = made(collection(ID, geometryType, of, count), theme)
      for (const m of media) {
        const c = collection(`${ID}${m.match[0]}`, geometryType, 'networks', count)
        layers[`${m.id} ${kind} ${density}`] = made(c, theme, { id: c.id, mark: ID })
      }
    })
  }
  return { land: coloursOf(theme).land, hues: hues(theme), layers }
}

function collection(id: string, geometryType: string, theme: ThemeId, itemCount: number): Collection {
  return { id, title: id, itemCount, geometryType, theme, labelProperty: LABEL, tiles: { minzoom: 0, maxzoom: 22 } }
}

function made(c: Collection, theme: Theme, renamed?: { id: string; mark: string }): Placed[] {
  let text = JSON.stringify(layersOf(c, treatmentOf(c), { theme, lang: LANG as Lang, alone: true }))
  text = text.replaceAll(hueOf(c.id, theme), COLOUR)
  if (renamed) text = text.replaceAll(renamed.id, renamed.mark)
  return JSON.parse(text) as Placed[]
}

/** The hues by their number: the remainder of the id's hash by their count. */
function hues(theme: Theme): string[] {
  const found: string[] = []
  for (let i = 0; found.filter(Boolean).length < 24; i++) {
    const text = `hue ${i}`
    found[numberOf(text)] = hueOf(text, theme)
  }
  return found
}

/** As `hueOf` numbers it: FNV-1a, 32 bits, of 24. */
function numberOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash % 24
}
