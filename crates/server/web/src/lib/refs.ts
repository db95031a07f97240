/** Features as the tiles give them. */
import type { Feature } from 'geojson'
import type { Collection } from './api'
import type { Lang } from './i18n'
import type { Ref } from './permalink'

/** A feature that the map shows. */
export interface Seen extends Ref {
  label: string
  /** Metres from the crosshair; 0 inside. */
  distance: number
}

type TileFeature = Pick<Feature, 'properties' | 'id'>

/** The id of the API: `_id` where it is not the tile's integer. */
export function apiId(feature: TileFeature): string | undefined {
  const id = feature.properties?._id ?? feature.id
  return id === undefined || id === null ? undefined : String(id)
}

export function refKey(ref: Ref): string {
  return `${ref.collection}/${ref.id}`
}

/** The name of a feature, or nothing when its collection names none or the value is empty. */
export function labelOf(properties: Record<string, unknown> | null | undefined, collection: Collection | undefined, lang: Lang): string {
  const name = collection?.labelProperty
  if (!name) return ''
  const value = properties?.[`${name}_${lang}`] ?? properties?.[name]
  return value === undefined || value === null ? '' : String(value).trim()
}

/** What a feature is called where it has no name: its collection, when it is the only one, else its id. */
export function fallbackName(ref: Ref, collection: Collection | undefined, unnamed: (id: string) => string): string {
  return collection?.itemCount === 1 ? collection.title : unnamed(ref.id)
}
