/** What news of changes do: the map asks for the touched tiles again, an open card for its feature, the catalogue for its counts. */
import type { Bounds } from '../lib/api'
import { editing } from '../lib/editing'
import { etagOf, featureOf, forget, forgetCollection } from '../lib/features'
import { Live, thisBrowser } from '../lib/live'
import { Gathering, type Change, type Touched } from '../lib/news'
import type { Ref } from '../lib/permalink'
import { refKey } from '../lib/refs'
import { app, loadCatalogue, note, t } from '../lib/state.svelte'
import type { TownMap } from './map'

/** Counts and extents follow a stream of changes at this pace. */
const CATALOGUE_MS = 3_000

export interface Following {
  /** The collections that the map shows as they are now. */
  want(collections: readonly string[]): void
  end(): void
}

export function follow(map: TownMap): Following | undefined {
  const browser = thisBrowser()
  if (!browser) return undefined
  const gathering = new Gathering((touched) => apply(map, touched))
  let reload: ReturnType<typeof setTimeout> | undefined
  const catalogue = () => (reload ??= setTimeout(() => ((reload = undefined), void loadCatalogue()), CATALOGUE_MS))
  const live = new Live(browser, {
    hear(news) {
      if (news.kind !== 'change' || news.change.action !== 'update' || isOutside(news.change.collection, news.change.bbox)) catalogue()
      // What this window did itself is drawn anew like all else, but is no news to its editor.
      if (news.kind === 'collection') editing.remoteChange(news.collection)
      else if (news.kind === 'change' && !editing.isOwn(news.id)) editing.remoteChange(news.change.collection, news.change.feature)
      gathering.add(news)
    },
    reopened: catalogue,
  })
  const visibility = () => {
    live.seen(!document.hidden)
    if (document.hidden) gathering.pause()
    else gathering.resume()
  }
  const end = () => {
    clearTimeout(reload)
    gathering.end()
    live.end()
    removeEventListener('visibilitychange', visibility, true)
  }
  addEventListener('visibilitychange', visibility, true)
  visibility()
  return { want: (collections) => live.want(collections), end }
}

/** Tiles beyond the extent that the source was told are never asked for. */
function isOutside(collection: string, bbox: readonly number[] | undefined): boolean {
  const known = app.collection(collection)?.bbox
  if (!bbox) return false
  return !known || bbox[0]! < known[0] || bbox[1]! < known[1] || bbox[2]! > known[2] || bbox[3]! > known[3]
}

/** What lies beyond the extent that was known is shown at once; the catalogue tells the exact one later. */
function widen({ boxes }: Touched): void {
  const outside = new Map([...boxes].map(([id, all]) => [id, all.filter((b) => isOutside(id, b))] as const).filter(([, all]) => all.length > 0))
  if (outside.size === 0) return
  const grown = (a: Bounds, b: Bounds): Bounds => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]
  app.catalogue = app.catalogue.map((c) => {
    const all = outside.get(c.id)
    return all ? { ...c, bbox: all.reduce(grown, c.bbox ?? all[0]!) } : c
  })
}

function apply(map: TownMap, touched: Touched): void {
  // The past does not change.
  if (app.asOf) return
  if (touched.all) {
    forgetCollection(undefined)
    for (const id of app.visible) map.touch(id, 'all')
  }
  for (const id of touched.whole) {
    forgetCollection(id)
    map.touch(id, 'all')
  }
  const selected = app.selected
  const open = selected ? touched.features.get(refKey(selected)) : undefined
  const tag = selected && etagOf(selected)
  // Whoever changed it here has the new state already.
  const known = open?.etag !== undefined && tag === open.etag
  for (const { collection, feature } of touched.features.values()) {
    const ref = { collection, id: feature }
    if (!(known && selected && refKey(ref) === refKey(selected))) forget(ref)
  }
  if (!touched.all) for (const [id, boxes] of touched.boxes) map.touch(id, boxes)
  widen(touched)
  app.stirred++
  const others = app.selection.some((r) => r !== selected && touched.features.has(refKey(r)))
  const whole = touched.all || app.selection.some((r) => touched.whole.has(r.collection))
  if (whole || others) app.fresh++
  if (open && selected && !known) void follows(selected, open, tag)
}

/** The open card: news of what it shows already, which the server may tell without a tag, are none. */
async function follows(ref: Ref, { action }: Change, tag: string | undefined): Promise<void> {
  if (action !== 'delete') {
    await featureOf(ref, app.lang).catch(() => undefined)
    if (tag !== undefined && etagOf(ref) === tag) return
  }
  if (!app.selected || refKey(app.selected) !== refKey(ref)) return
  app.fresh++
  note(action === 'delete' ? t('live.removed') : t('live.changed'))
}
