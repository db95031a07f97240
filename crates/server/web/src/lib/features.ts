/** Features and schemas that cards have shown. */
import type { Feature } from 'geojson'
import { fetchFeature, fetchSchema, type Property } from './api'
import type { Lang } from './i18n'
import type { Ref } from './permalink'

/** Cards kept: going back and forth through a stack asks nothing twice, and memory stays small. */
const MAX_KEPT = 200
/** A feature that somebody else changes shows so after this many milliseconds at most. */
const KEPT_FOR = 10_000
const features = new Map<string, Promise<Feature>>()
const schemas = new Map<string, Promise<Property[]>>()

export function featureOf(ref: Ref, lang: Lang): Promise<Feature> {
  const key = `${ref.collection}/${ref.id}`
  return once(features, key, () => {
    setTimeout(() => features.delete(key), KEPT_FOR)
    return fetchFeature(ref.collection, ref.id, lang)
  })
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
  return answer
}
