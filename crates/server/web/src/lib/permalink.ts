/** Every state of the map is a link: this module turns the state into the address's fragment and back. */
import { isDay } from './dates'
import type { Lang } from './i18n'

export type Theme = 'light' | 'dark'
export type Panel = 'layers' | 'list' | 'none'
export type MeasureMode = 'distance' | 'area'
export interface Ref {
  collection: string
  id: string
}
export interface Measure {
  mode: MeasureMode
  /** [longitude, latitude] in degrees. */
  points: [number, number][]
}
export interface View {
  center: [number, number]
  zoom: number
}
export interface LinkState {
  view?: View | undefined
  lang?: Lang | undefined
  theme?: Theme | undefined
  preset?: string | undefined
  /** Visible collections; absent: what the preset shows. */
  layers?: string[] | undefined
  panel?: Panel | undefined
  selection: Ref[]
  /** Which of the stacked features the card shows. */
  index: number
  measure?: Measure | undefined
  /** Text in the filter box of the layer tree. */
  filter: string
  /** The list shows this collection only. */
  only?: string | undefined
  /** The history of the selected feature instead of its card. */
  history?: boolean | undefined
  /** The day that the map shows, `YYYY-MM-DD`. */
  asOf?: string | undefined
}

/** Features in one link; more stacked features than this are cut, so that addresses stay below 2,000 characters. */
export const MAX_SELECTION = 20
/** Corners of a measurement in one link, for the same reason. */
export const MAX_POINTS = 100
const MAX_LAYERS = 200
const MAX_ZOOM = 24

export function emptyState(): LinkState {
  return { selection: [], index: 0, filter: '' }
}

/** The fragment without `#`. Parts at their default are left out, so a plain map has a plain link. */
export function toFragment(state: LinkState): string {
  const parts: string[] = []
  const add = (key: string, value: string | undefined) => {
    if (value !== undefined && value !== '') parts.push(`${key}=${value}`)
  }
  if (state.view) {
    const { center, zoom } = state.view
    add('map', [zoom.toFixed(2), center[1].toFixed(6), center[0].toFixed(6)].join('/'))
  }
  add('preset', state.preset && escape(state.preset))
  if (state.layers) add('layers', state.layers.length > 0 ? state.layers.map(escape).join(',') : '-')
  if (state.panel && state.panel !== 'layers') add('panel', state.panel)
  add('sel', state.selection.slice(0, MAX_SELECTION).map((r) => `${escape(r.collection)}/${escape(r.id)}`).join(','))
  if (state.index > 0) add('n', String(state.index))
  if (state.measure) add('measure', [state.measure.mode, ...state.measure.points.slice(0, MAX_POINTS).map((p) => p.map((v) => v.toFixed(7)).join('/'))].join(','))
  add('filter', escape(state.filter))
  add('only', state.only && escape(state.only))
  if (state.history) add('history', '1')
  add('date', state.asOf)
  add('lang', state.lang)
  add('theme', state.theme)
  return parts.join('&')
}

/** Reads a fragment; parts that make no sense are left out, never an error. */
export function fromFragment(fragment: string): LinkState {
  const state = emptyState()
  for (const part of fragment.replace(/^#/, '').slice(0, 20_000).split('&')) {
    const cut = part.indexOf('=')
    if (cut < 1) continue
    read(state, part.slice(0, cut), part.slice(cut + 1))
  }
  if (state.index >= state.selection.length) state.index = 0
  return state
}

function read(state: LinkState, key: string, value: string): void {
  switch (key) {
    case 'map':
      state.view = readView(value)
      break
    case 'preset':
      state.preset = unescape(value) || undefined
      break
    case 'layers':
      state.layers = value === '-' ? [] : value.split(',').map(unescape).filter(Boolean).slice(0, MAX_LAYERS)
      break
    case 'panel':
      if (value === 'list' || value === 'none' || value === 'layers') state.panel = value
      break
    case 'sel':
      state.selection = value.split(',').map(readRef).filter((r) => r !== undefined).slice(0, MAX_SELECTION)
      break
    case 'n':
      if (/^\d{1,3}$/.test(value)) state.index = Number(value)
      break
    case 'measure':
      state.measure = readMeasure(value)
      break
    case 'filter':
      state.filter = unescape(value)
      break
    case 'only':
      state.only = unescape(value) || undefined
      break
    case 'history':
      if (value === '1') state.history = true
      break
    case 'date':
      if (isDay(value)) state.asOf = value
      break
    case 'lang':
      if (value === 'uk' || value === 'en') state.lang = value
      break
    case 'theme':
      if (value === 'light' || value === 'dark') state.theme = value
      break
  }
}

function readView(value: string): View | undefined {
  const [zoom, lat, lon] = value.split('/').map(strictNumber)
  if (zoom === undefined || lat === undefined || lon === undefined) return undefined
  if (Math.abs(lat) > 90 || Math.abs(lon) > 180) return undefined
  return { center: [lon, lat], zoom: Math.max(0, Math.min(MAX_ZOOM, zoom)) }
}

function readRef(value: string): Ref | undefined {
  const [collection, id, ...rest] = value.split('/').map(unescape)
  return collection && id && rest.length === 0 ? { collection, id } : undefined
}

function readMeasure(value: string): Measure | undefined {
  const [mode, ...rest] = value.split(',')
  if (mode !== 'distance' && mode !== 'area') return undefined
  const points: [number, number][] = []
  for (const pair of rest.slice(0, MAX_POINTS)) {
    const [lon, lat] = pair.split('/').map(strictNumber)
    if (lon === undefined || lat === undefined || Math.abs(lat) > 90 || Math.abs(lon) > 180) return undefined
    points.push([lon, lat])
  }
  return { mode, points }
}

function strictNumber(text: string): number | undefined {
  return /^-?\d{1,4}(\.\d{1,12})?$/.test(text) ? Number(text) : undefined
}

/** Keeps letters of any alphabet readable; only what would break the fragment is escaped. */
function escape(text: string): string {
  return text.replace(/[%&=#,/\s"<>\\^`{|}]/g, (c) => encodeURIComponent(c))
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A cut-off escape: the rest of the link is still good.
    return ''
  }
}
