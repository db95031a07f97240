/** How each collection is drawn: from the files of `styles/`, else by its geometry, theme and a word in its id. */
import addresses from '$styles/addresses.json'
import boundaries from '$styles/boundaries.json'
import cadastre from '$styles/cadastre.json'
import networks from '$styles/networks.json'
import presetFile from '$styles/presets.json'
import transport from '$styles/transport.json'
import zoning from '$styles/zoning.json'
import type { Collection } from '../lib/api'
import type { Lang } from '../lib/i18n'

export const RECIPES = ['parcel', 'building', 'block', 'land', 'zone', 'overlay', 'boundary', 'territory', 'settlement', 'street', 'pipe', 'node', 'address', 'water', 'area', 'line', 'point'] as const
export type Recipe = (typeof RECIPES)[number]

export interface ClassGroup {
  id: string
  title: Record<Lang, string>
  colour: string
  values: (string | number)[]
}
export interface Classes {
  property: string
  groups: ClassGroup[]
}
/** What a file of `styles/` may say about a collection. */
export interface Given {
  recipe: Recipe
  colour?: string
  minzoom?: number
  labelZoom?: number
  maxLabelZoom?: number
  /** Property written on the map where it is shorter than the feature's name. */
  label?: string
  icon?: string
  dash?: number[]
  flow?: boolean
  hit?: 'none'
  order?: number
  classes?: Classes[]
  widthBy?: { property: string; values: Record<string, number> }[]
  iconBy?: { property: string; values: Record<string, string>; titles?: Record<string, Record<Lang, string>> }
  /** Role of the line's edge, where it is not the halo. */
  casing?: string
  /** Factor of a border's width. */
  width?: number
  /** Zoom from which what `widthBy` makes wider is named. */
  mainLabelZoom?: number
  /** Written before the name on the map. */
  prefix?: Record<Lang, string>
  registeredArea?: string[]
  /** Words that people use for it, for the search of layers. */
  aliases?: string[]
}
export interface Treatment extends Given {
  colour: string
  minzoom: number
  labelZoom: number
  order: number
}
export interface Preset {
  id: string
  title: Record<Lang, string>
  description: Record<Lang, string>
  symbol: string
  themes: string[]
  collections: string[]
  needs?: string
  /** What this task draws differently: fields of a collection that take the place of its own. */
  restyle?: Record<string, Partial<Given>>
}

export const presets: Preset[] = presetFile.presets as Preset[]
export const base: { themes: string[]; collections: string[] } = presetFile.base
export const files: Record<string, { theme: string; aliases?: string[]; collections: Record<string, Given> }> = {
  cadastre, zoning, networks, addresses, transport, boundaries,
} as never
export const media: { id: string; match: string[]; colour: string; icon: string; casing?: string; aliases: string[] }[] = networks.media

export function isPoint(c: Collection): boolean {
  return c.geometryType.endsWith('point')
}
export function isLine(c: Collection): boolean {
  return c.geometryType.endsWith('linestring')
}

/** Smallest useful zoom of small things such as parcels, lamps and house numbers. */
const ORDER = { area: 15, line: 45, point: 80 }

export function treatmentOf(c: Collection, preset?: string): Treatment {
  const given = Object.values(files).find((f) => f.collections[c.id])?.collections[c.id]
  const own = given && fits(given.recipe, c) ? given : guess(c)
  const treatment = { ...own, ...presets.find((p) => p.id === preset)?.restyle?.[c.id] }
  const minzoom = Math.max(treatment.minzoom ?? 0, c.tiles.minzoom)
  return {
    ...treatment,
    colour: treatment.colour ?? c.id,
    minzoom,
    labelZoom: Math.max(treatment.labelZoom ?? minzoom + 2, minzoom),
    order: treatment.order ?? ORDER.area,
    aliases: [...(treatment.aliases ?? []), ...(mediumOf(c)?.aliases ?? [])],
  }
}

/** A town may publish lines under an id that these files know as polygons: then the guess is the better drawing. */
export function fits(recipe: Recipe, c: Collection): boolean {
  if (isPoint(c)) return ['node', 'address', 'point'].includes(recipe)
  if (isLine(c)) return ['street', 'pipe', 'line', 'boundary'].includes(recipe)
  if (c.geometryType.endsWith('polygon')) return !['street', 'pipe', 'line', 'node', 'address', 'point'].includes(recipe)
  // Mixed geometry ("geometry"): each recipe draws what it can.
  return true
}

function mediumOf(c: Collection) {
  return c.theme === 'networks' ? media.find((m) => m.match.some((word) => c.id.toLowerCase().includes(word))) : undefined
}

function casingOf(medium: { casing?: string } | undefined): { casing?: string } {
  return medium?.casing ? { casing: medium.casing } : {}
}

function guess(c: Collection): Given {
  const medium = mediumOf(c)
  if (isPoint(c)) {
    if (c.theme === 'networks') return { recipe: 'node', colour: medium?.colour ?? c.id, ...casingOf(medium), icon: medium?.icon ?? 'dot', minzoom: 14, order: 80 }
    if (c.theme === 'addresses') return { recipe: 'address', colour: 'address', minzoom: 17, labelZoom: 17.5, order: 90 }
    return { recipe: 'point', minzoom: dense(c, 13), labelZoom: 16, order: ORDER.point }
  }
  if (isLine(c)) {
    if (c.theme === 'networks') return { recipe: 'pipe', colour: medium?.colour ?? c.id, ...casingOf(medium), minzoom: dense(c, 12), order: 72 }
    if (c.theme === 'transport') return { recipe: 'street', colour: 'street', minzoom: dense(c, 12), labelZoom: 14, order: 30 }
    if (c.theme === 'boundaries') return { recipe: 'boundary', minzoom: 0, order: 60 }
    return { recipe: 'line', minzoom: dense(c, 12), labelZoom: 15, order: ORDER.line }
  }
  if (c.theme === 'cadastre') return { recipe: 'parcel', colour: 'parcel', minzoom: dense(c, 15.5), labelZoom: 17, order: 50 }
  if (c.theme === 'zoning') return { recipe: 'zone', minzoom: dense(c, 10), labelZoom: 14, order: 20 }
  if (c.theme === 'boundaries') return { recipe: 'boundary', minzoom: dense(c, 10), labelZoom: 11, order: 60 }
  return { recipe: 'area', minzoom: dense(c, 12), labelZoom: 14, order: ORDER.area }
}

/** Few features are drawn from the start, many from the zoom where each is a shape of its own. */
export function dense(c: Collection, zoom: number): number {
  return c.itemCount > 2000 ? zoom : c.itemCount > 200 ? zoom - 3 : 0
}

/** Collections that a preset switches on, in the catalogue's order. */
export function presetLayers(id: string, catalogue: readonly Collection[]): string[] {
  const preset = presets.find((p) => p.id === id)
  const themes = new Set([...base.themes, ...(preset?.themes ?? [])])
  const ids = new Set([...base.collections, ...(preset?.collections ?? [])])
  return catalogue.filter((c) => themes.has(c.theme) || ids.has(c.id)).map((c) => c.id)
}

/** A task that needs what no server has yet keeps its place in the file only. */
export function presetOffered(preset: Preset): boolean {
  return preset.needs === undefined
}

/** A preset is ready when at least one collection of its own themes exists; imagery is not served yet. */
export function presetReady(preset: Preset, catalogue: readonly Collection[]): boolean {
  return presetOffered(preset) && catalogue.some((c) => preset.themes.includes(c.theme))
}
