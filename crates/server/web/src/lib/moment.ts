/** What of the map can be shown as of a past day, and who may see that at all. */
import type { Geometry } from 'geojson'
import { collectionPath, get, RequestError, onDay, type Collection, type Found, type Hit } from './api'
import { dayAt } from './dates'
import { boundsOf } from './geodesy'
import type { Lang } from './i18n'
import { labelOf } from './refs'

/** The history of a collection that the reader may see. */
export interface Known {
  /** The first moment that is known of, RFC 3339. */
  from?: string
}

export interface Past {
  day: string
  /** Collections that are shown as of the day. */
  shown: ReadonlySet<string>
  /** Features that a collection had then. */
  counts: ReadonlyMap<string, number>
  /** The state of then can't be told. */
  untold: readonly string[]
  /** The history is not open to this reader. */
  closed: readonly string[]
  /** No answer came. */
  failed: readonly string[]
}

interface Api {
  paths?: Record<string, unknown>
}

/**
 * Collections whose history the reader sees. The catalogue says it (`history`, null where it is closed); where it does not, the
 * description of the API names the paths that this reader has, without a request that would be refused.
 */
export async function fetchHistories(catalogue: readonly Collection[], lang: Lang): Promise<Map<string, Known>> {
  if (catalogue.some((c) => c.history !== undefined)) return new Map(catalogue.flatMap((c) => (c.history ? [[c.id, c.history] as const] : [])))
  const { paths = {} } = (await get('/api?f=json', lang, 'application/json')) as Api
  return new Map(catalogue.filter((c) => `/collections/${c.id}/items/{featureId}/versions` in paths).map((c) => [c.id, {}] as const))
}

interface Versions {
  versions?: { from?: string }[]
  /** No map can be shown of a day before. */
  keptSince?: string
}

/** The first day of the scale. Where the catalogue does not tell it, the oldest feature that is still there does: it is no later than that. */
export async function firstDay(histories: ReadonlyMap<string, Known>, lang: Lang): Promise<string | undefined> {
  const moments = await Promise.all(
    [...histories].map(async ([id, known]) => {
      if (known.from) return known.from
      const items = (await get(`${collectionPath(id)}/items?f=json&limit=1`, lang, 'application/geo+json').catch(() => ({}))) as { features?: { id?: string | number }[] }
      const oldest = items.features?.[0]?.id
      if (oldest === undefined) return undefined
      const all = (await get(`${collectionPath(id)}/items/${encodeURIComponent(oldest)}/versions`, lang, 'application/json').catch(() => ({}))) as Versions
      return all.keptSince ?? all.versions?.[0]?.from
    }),
  )
  const first = moments.filter((m) => m !== undefined).sort()[0]
  return first === undefined ? undefined : dayAt(first)
}

/** Which of the visible collections can be shown as of a day. */
export async function lookBack(day: string, visible: readonly string[], histories: ReadonlyMap<string, Known>, lang: Lang, signal: AbortSignal): Promise<Past> {
  const shown = new Set<string>()
  const counts = new Map<string, number>()
  const [untold, closed, failed]: [string[], string[], string[]] = [[], [], []]
  await Promise.all(
    visible.map(async (id) => {
      if (!histories.has(id)) return void closed.push(id)
      try {
        const page = (await get(`${collectionPath(id)}/items?f=json&limit=1${onDay(day)}`, lang, 'application/geo+json', signal)) as { numberMatched?: number }
        shown.add(id)
        if (page.numberMatched !== undefined) counts.set(id, page.numberMatched)
      } catch (e) {
        if (signal.aborted) return
        const status = e instanceof RequestError ? e.status : 0
        if (status === 410) untold.push(id)
        else if ([401, 403, 404].includes(status)) closed.push(id)
        else failed.push(id)
      }
    }),
  )
  signal.throwIfAborted()
  return { day, shown, counts, untold, closed, failed }
}

/** Answers of one collection in a search of a past day. */
const MOST_HITS = 8

/** The search of a past day: over the collections that are shown, since the common one knows the present only. */
export async function searchThen(text: string, { day, shown }: Past, catalogue: readonly Collection[], lang: Lang, signal: AbortSignal): Promise<Found> {
  const pages = await Promise.all(
    catalogue.filter((c) => shown.has(c.id)).map(async (c) => {
      const path = `${collectionPath(c.id)}/items?f=json&q=${encodeURIComponent(text)}&limit=${MOST_HITS}${onDay(day)}`
      const page = (await get(path, lang, 'application/geo+json', signal).catch((e: unknown) => {
        if (signal.aborted) throw e
        return {}
      })) as { features?: ThenFeature[]; numberMatched?: number }
      return (page.features ?? []).map((f) => hit(f, c, text, lang))
    }),
  )
  const hits = pages.flat()
  return { hits, more: pages.some((p) => p.length === MOST_HITS) }
}

interface ThenFeature {
  id: string | number
  properties: Record<string, unknown> | null
  geometry: Geometry | null
}

function hit(f: ThenFeature, c: Collection, text: string, lang: Lang): Hit {
  const label = labelOf(f.properties, c, lang)
  const wanted = text.toLocaleLowerCase(lang)
  const [property, value] = Object.entries(f.properties ?? {}).find(([, v]) => typeof v === 'string' && v.toLocaleLowerCase(lang).includes(wanted)) ?? ['', label]
  return { collection: c.id, id: String(f.id), label, property, value: String(value), bbox: f.geometry ? boundsOf(f.geometry) : (c.bbox ?? boundsOf(null)) }
}
