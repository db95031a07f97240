/** Features and schemas that cards have shown. */
import type { Feature } from 'geojson'
import { fetchSchema, fetchTagged, type Property } from './api'
import type { Lang } from './i18n'
import type { Ref } from './permalink'
import { refKey } from './refs'

/** Cards kept: going back and forth through a stack asks nothing twice, and memory stays small. */
const MAX_KEPT = 200
/** A feature that somebody else changes shows so after this many milliseconds at most. */
const KEPT_FOR = 10_000
const features = new Map<string, Promise<Feature>>()
/** Tags by the keys of `features`; they outlive what was kept, as the card does. */
const tags = new Map<string, string>()
const schemas = new Map<string, Promise<Property[]>>()

/** `asOf` is a day: the feature as it was then. */
export function featureOf(ref: Ref, lang: Lang, asOf?: string): Promise<Feature> {
  const key = `${asOf ?? ''} ${refKey(ref)}`
  return once(features, key, () => {
    tags.delete(key)
    setTimeout(() => features.delete(key), KEPT_FOR)
    return fetchTagged(ref.collection, ref.id, lang, asOf).then(({ feature, etag }) => {
      if (etag) tags.set(key, etag)
      return feature
    })
  })
}

/** The tag of a feature that is kept. */
export function etagOf(ref: Ref): string | undefined {
  return tags.get(` ${refKey(ref)}`)
}

/** Somebody changed a feature, a collection, or nobody knows what: it is asked for again. */
export function forget(ref: Ref): void {
  features.delete(` ${refKey(ref)}`)
  tags.delete(` ${refKey(ref)}`)
}
export function forgetCollection(collection: string | undefined): void {
  for (const key of features.keys()) if (!collection || key.startsWith(` ${collection}/`)) features.delete(key)
  for (const key of schemas.keys()) if (!collection || key.endsWith(`/${collection}`)) schemas.delete(key)
}

export function schemaOf(collection: string, lang: Lang): Promise<Property[]> {
  return once(schemas, `${lang}/${collection}`, () => fetchSchema(collection, lang))
}

function once<T>(kept: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const known = kept.get(key)
  if (known) return known
  const answer = ask()
  kept.set(key, answer)
  // A failure is not an answer: the next card asks again.
  answer.catch(() => kept.delete(key))
  if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value!)
  if (tags.size > 2 * MAX_KEPT) tags.clear()
  return answer
}
