/** The app's state, its link, and the steps that change it. Map objects and geometry stay outside: see `map/`. */
import { presetLayers, presetReady, presets } from '../style/treatment'
import { fetchCollections, type Bounds, type Collection } from './api'
import { LANGS, preferredLang, translate, type Args, type Key, type Lang } from './i18n'
import { fromFragment, toFragment, type LinkState, type Measure, type MeasureMode, type Panel, type Ref, type Theme, type View } from './permalink'
import { fetchHistories, type Known, type Past } from './moment'
import { fetchMe, hasDrafts, mayCreate, type Me } from './editing'
import { fallbackName, type Seen } from './refs'

const NONE: ReadonlySet<string> = new Set()
export type Sheet = 'peek' | 'half' | 'full'
export interface EditStart {
  ref?: Ref
  collection?: string
  drafts?: boolean
}

class App {
  lang = $state<Lang>('uk')
  /** As chosen; absent: the system's. */
  chosenTheme = $state<Theme | undefined>()
  systemDark = $state(false)
  catalogue = $state.raw<Collection[]>([])
  loading = $state(true)
  error = $state('')
  preset = $state<string | undefined>()
  visible = $state.raw<ReadonlySet<string>>(new Set())
  panel = $state<Panel>('layers')
  selection = $state.raw<Ref[]>([])
  index = $state(0)
  measure = $state.raw<Measure | undefined>()
  filter = $state('')
  only = $state<string | undefined>()
  view = $state.raw<View | undefined>()
  help = $state(false)
  shortcuts = $state(true)
  sheet = $state<Sheet>('half')
  /** What the map shows after its last rest, nearest first. */
  seen = $state.raw<Seen[]>([])
  seenReady = $state(false)
  /** For the legend: `collection` and `collection|class` that are in view. */
  inView = $state.raw<ReadonlySet<string>>(new Set())
  /** Collections with anything on the screen, whose sources are named. */
  drawn = $state.raw<ReadonlySet<string>>(new Set())
  zoom = $state(0)
  /** A finger, not a mouse, is the main pointer: texts name no keys then. */
  touch = $state(false)
  /** Said politely to screen readers. */
  announcement = $state('')
  /** Short confirmation at the foot of the map. */
  toast = $state('')
  /** Who is signed in; editing is for those only. */
  me = $state.raw<Me | undefined>()
  /** Collections to which this account may add features. */
  creatable = $state.raw<ReadonlySet<string>>(new Set())
  /** The editor is open: on a feature, on a new one of a collection, or on its list of drafts. */
  editing = $state.raw<EditStart | undefined>()
  /** A feature is in hand: the map's clicks and the keys are the editor's. */
  inHand = $state(false)
  /** Unfinished edits that wait in this browser. */
  drafts = $state(0)
  /** An editor points with the crosshair. */
  aim = $state(false)
  /** The card shows the history of its feature. */
  history = $state(false)
  /** The day that the map shows, `YYYY-MM-DD`; absent: what is there now. */
  asOf = $state<string | undefined>()
  /** The time control is open. */
  timing = $state(false)
  /** Collections whose history this reader may see, with the first moment that is known of; absent until it has been asked. */
  histories = $state.raw<ReadonlyMap<string, Known> | undefined>()
  /** What of the visible collections can be shown as of `asOf`. */
  past = $state.raw<Past | undefined>()
  /** Grows when somebody changed a feature whose card is open. */
  fresh = $state(0)
  /** Said in the card for a while after that. */
  freshNote = $state('')
  /** Grows when anything changed: an open search asks again. */
  stirred = $state(0)

  get theme(): Theme {
    return this.chosenTheme ?? (this.systemDark ? 'dark' : 'light')
  }
  get selected(): Ref | undefined {
    return this.selection[this.index]
  }
  /** Collections that the map shows: those that are switched on, and of a past day those whose state then is known. */
  get shown(): ReadonlySet<string> {
    return this.asOf ? (this.past?.shown ?? NONE) : this.visible
  }
  collection(id: string): Collection | undefined {
    return this.catalogue.find((c) => c.id === id)
  }
}

export const app = new App()

/** Text in the reader's language; reactive where it is called from a component. */
export function t(key: Key, args?: Args): string {
  return translate(app.lang, key, args)
}

/** A name for people, whatever the data has. */
export function nameOf(ref: Ref, label: string | undefined): string {
  return label || fallbackName(ref, app.collection(ref.collection), (id) => t('list.unnamed', { id }))
}

const KEPT = { lang: 'hromada.lang', theme: 'hromada.theme', shortcuts: 'hromada.shortcuts' } as const

function kept(key: keyof typeof KEPT): string | null {
  try {
    return localStorage.getItem(KEPT[key])
  } catch {
    // Storage can be switched off: nothing is remembered then.
    return null
  }
}
function keep(key: keyof typeof KEPT, value: string): void {
  try {
    localStorage.setItem(KEPT[key], value)
  } catch {
    // As above.
  }
}

/** Reads the link and the reader's settings; called once before the first drawing. */
export function begin(): void {
  const link = fromFragment(location.hash)
  const saved = kept('lang')
  app.lang = link.lang ?? LANGS.find((l) => l === saved) ?? preferredLang(navigator.languages)
  const theme = kept('theme')
  app.chosenTheme = link.theme ?? (theme === 'dark' || theme === 'light' ? theme : undefined)
  app.shortcuts = kept('shortcuts') !== 'off'
  const coarse = matchMedia('(pointer: coarse)')
  app.touch = coarse.matches
  coarse.addEventListener('change', (e) => (app.touch = e.matches))
  const dark = matchMedia('(prefers-color-scheme: dark)')
  app.systemDark = dark.matches
  dark.addEventListener('change', (e) => (app.systemDark = e.matches))
  takeRest(link)
}

/** Everything of a link that does not depend on the catalogue. */
function takeRest(link: LinkState): void {
  app.view = link.view
  app.panel = link.panel ?? 'layers'
  app.selection = link.selection
  app.index = link.index
  app.measure = link.measure
  app.filter = link.filter
  app.only = link.only
  app.history = link.history ?? false
  app.asOf = link.asOf
  app.timing = link.asOf !== undefined
  if (app.timing && link.selection.length === 0) app.sheet = 'peek'
}

function takeLayers(link: LinkState): void {
  const ready = presets.filter((p) => presetReady(p, app.catalogue))
  const preset = ready.find((p) => p.id === link.preset) ?? (link.layers ? undefined : ready[0])
  app.preset = preset?.id
  const ids = link.layers ?? (preset ? presetLayers(preset.id, app.catalogue) : app.catalogue.map((c) => c.id))
  app.visible = new Set(ids.filter((id) => app.collection(id)))
}

/** Asks for the catalogue in the reader's language; the layers of the link are switched on the first time. */
export async function loadCatalogue(): Promise<void> {
  const first = app.catalogue.length === 0
  const lang = app.lang
  try {
    const catalogue = await fetchCollections(lang)
    if (lang !== app.lang) return
    app.catalogue = catalogue
    app.error = ''
    if (first) takeLayers(fromFragment(location.hash))
  } catch (e) {
    app.error = e instanceof Error ? e.message : String(e)
  } finally {
    app.loading = false
  }
}

/** Asks whose history the reader may see: once, and anew where the catalogue tells it. */
export async function loadHistories(): Promise<void> {
  const told = app.catalogue.some((c) => c.history !== undefined)
  if (app.histories && !told) return
  app.histories = await fetchHistories(app.catalogue, app.lang).catch(() => app.histories)
}

/** Back, Forward or an edited address. */
export function followLink(): View | undefined {
  const link = fromFragment(location.hash)
  if (link.lang) app.lang = link.lang
  app.chosenTheme = link.theme ?? app.chosenTheme
  takeRest(link)
  takeLayers(link)
  app.help = false
  return link.view
}

export function linkState(): LinkState {
  const preset = presets.find((p) => p.id === app.preset)
  const asPreset = preset ? presetLayers(preset.id, app.catalogue) : undefined
  const same = asPreset && asPreset.length === app.visible.size && asPreset.every((id) => app.visible.has(id))
  return {
    view: app.view,
    lang: app.lang,
    theme: app.chosenTheme,
    preset: app.preset,
    layers: same || app.catalogue.length === 0 ? undefined : [...app.visible],
    panel: app.panel,
    selection: app.selection,
    index: app.index,
    measure: app.measure,
    filter: app.filter,
    only: app.only,
    history: app.history && app.selection.length > 0,
    asOf: app.asOf,
  }
}

/** Writes the state to the address: a step of its own for Back, or in place for what changes all the time. */
function write(step: 'push' | 'replace'): void {
  if (app.loading || app.catalogue.length === 0) return
  const fragment = `#${toFragment(linkState())}`
  if (fragment === location.hash) return
  if (step === 'push') history.pushState(null, '', fragment)
  else history.replaceState(null, '', fragment)
}
export function keepLink(): void {
  write('replace')
}

// ---- steps ----

export function setView(view: View): void {
  app.view = view
  app.zoom = view.zoom
  keepLink()
}

export function choosePreset(id: string): void {
  app.preset = id
  app.visible = new Set(presetLayers(id, app.catalogue))
  write('push')
}

export function toggleLayer(id: string, on: boolean): void {
  const next = new Set(app.visible)
  if (on) next.add(id)
  else next.delete(id)
  app.visible = next
  write('push')
}

export function toggleLayers(ids: readonly string[], on: boolean): void {
  const next = new Set(app.visible)
  for (const id of ids) {
    if (on) next.add(id)
    else next.delete(id)
  }
  app.visible = next
  write('push')
}

export function showLayer(id: string): void {
  if (!app.visible.has(id)) toggleLayer(id, true)
}

export function setPanel(panel: Panel): void {
  app.panel = panel
  write('push')
}

export function select(refs: readonly Ref[], index = 0): void {
  app.selection = refs.map(({ collection, id }) => ({ collection, id }))
  app.index = index
  app.freshNote = ''
  if (refs.length === 0) app.history = false
  if (refs.length > 0 && app.panel === 'none') app.panel = 'list'
  if (refs.length > 0 && app.sheet === 'peek') app.sheet = 'half'
  write('push')
}

export function step(by: 1 | -1): void {
  const n = app.selection.length
  if (n === 0) return
  app.index = (app.index + by + n) % n
  keepLink()
}

export function showHistory(on: boolean): void {
  app.history = on
  write('push')
}

/** The map as of a day; without one as it is now. What changes while a slider moves is no step for Back. */
export function setAsOf(day: string | undefined, how: 'push' | 'replace' = 'push'): void {
  if (day === app.asOf) return
  app.asOf = day
  if (!day) app.past = undefined
  write(how)
}

export function openTime(on: boolean): void {
  app.timing = on
  // On a phone the sheet gives way.
  if (on) app.sheet = 'peek'
  if (!on) setAsOf(undefined)
}

/** Asks who is signed in, and then what they may add to and what they left unfinished. A visitor asks once and loads nothing. */
export async function findOut(): Promise<void> {
  app.me = await fetchMe()
  const { me } = app
  if (!me || !hasDrafts(me.id)) return
  const { waiting } = await import('../editor/drafts')
  app.drafts = (await waiting(me.id)).filter((draft) => !draft.elsewhere).length
}

let askedFor = ''
export async function loadRights(): Promise<void> {
  const ids = app.catalogue.map((c) => c.id)
  if (!app.me || ids.join() === askedFor) return
  askedFor = ids.join()
  const may = await Promise.all(ids.map(mayCreate))
  app.creatable = new Set(ids.filter((_, i) => may[i]))
}

/** Editing is of what is there now. */
export function edit(start: EditStart): void {
  openTime(false)
  app.history = false
  if (app.measure) endMeasure()
  if (start.ref) showLayer(start.ref.collection)
  if (start.collection) showLayer(start.collection)
  if (app.panel === 'none') app.panel = 'layers'
  if (app.sheet === 'peek') app.sheet = 'half'
  app.editing = start
}
export function stopEditing(): void {
  app.editing = undefined
  app.inHand = false
  app.aim = false
}

export function startMeasure(mode: MeasureMode): void {
  app.measure = { mode, points: app.measure?.points ?? [] }
  if (app.panel === 'none') app.panel = 'layers'
  write('push')
}

export function setMeasurePoints(points: [number, number][]): void {
  if (!app.measure) return
  app.measure = { ...app.measure, points }
  keepLink()
}

export function endMeasure(): void {
  app.measure = undefined
  write('push')
}

export function setFilter(text: string): void {
  app.filter = text
  keepLink()
}

export function setOnly(id: string | undefined): void {
  app.only = id
  keepLink()
}

export function setLang(lang: Lang): void {
  app.lang = lang
  keep('lang', lang)
  keepLink()
  void loadCatalogue()
}

export function setTheme(theme: Theme): void {
  app.chosenTheme = theme
  keep('theme', theme)
  keepLink()
}

export function setShortcuts(on: boolean): void {
  app.shortcuts = on
  keep('shortcuts', on ? 'on' : 'off')
}

/** One level back; false when there was nothing to leave. */
export function stepBack(): boolean {
  if (app.help) app.help = false
  else if (app.measure) endMeasure()
  else if (app.history) showHistory(false)
  else if (app.selection.length > 0) select([])
  else if (app.filter) setFilter('')
  else if (app.only) setOnly(undefined)
  else if (app.timing) openTime(false)
  else if (app.panel === 'list') setPanel('layers')
  else return false
  return true
}

let toastTimer: ReturnType<typeof setTimeout> | undefined
export function say(text: string): void {
  app.toast = text
  app.announcement = text
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => (app.toast = ''), 4000)
}

let noteTimer: ReturnType<typeof setTimeout> | undefined
/** A word in the open card, and to screen readers: less than a message over the map. */
export function note(text: string): void {
  app.freshNote = text
  app.announcement = text
  clearTimeout(noteTimer)
  noteTimer = setTimeout(() => (app.freshNote = ''), 12_000)
}

export function copyLink(): void {
  keepLink()
  const done = () => say(t('link.copied'))
  const failed = () => say(t('link.address'))
  // Without a secure context there is no clipboard: the address bar holds the same link.
  if (!navigator.clipboard) failed()
  else navigator.clipboard.writeText(location.href).then(done, failed)
}

/** Extents of all layers: where a pair of coordinates may mean something. */
export function knownBoxes(): Bounds[] {
  return app.catalogue.map((c) => c.bbox).filter((b) => b !== undefined)
}

/** The smallest useful extent to begin with: the cadastre's, else everything's. */
export function homeBounds(): Bounds | undefined {
  const boxes = (of: Collection[]) => of.map((c) => c.bbox).filter((b) => b !== undefined)
  const cadastre = boxes(app.catalogue.filter((c) => c.theme === 'cadastre'))
  const used = cadastre.length > 0 ? cadastre : boxes(app.catalogue)
  if (used.length === 0) return undefined
  return used.reduce((a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])])
}
