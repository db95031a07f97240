/**
 * One edit: of a feature that the server has, or of a new one. What was done is a history of immutable states; the map and
 * the panel show the present one. Geometry is never in deep reactive state.
 */
import type { Feature, Geometry, Position } from 'geojson'
import { replay, type BorderStep } from '../editing/border'
import { changes, equal, type Comparison, type Content, type Properties } from '../editing/changes'
import { forget, keep, type Draft, type DraftStore } from '../editing/draft'
import { beginDrawing, resumeDrawing, type Drawing, type Shape } from '../editing/draw'
import { fieldsOf, type Field } from '../editing/form'
import { hasRings, isEditable, type Editable, type Path } from '../editing/geometry'
import { begin, record, redo, redoes, undo, undoes, type History } from '../editing/history'
import { isRefused, type Refused } from '../editing/outcome'
import { fetchAround, fetchForEditing, fetchRawSchema, type Fetched } from '../editing/send'
import type { WorkingSet } from '../editing/shared'
import type { Snap } from '../editing/snap'
import { problems, type Problem } from '../editing/validity'
import type { Bounds, Collection } from '../lib/api'
import type { Rights } from '../lib/editing'
import { boundsOf } from '../lib/geodesy'
import type { Key } from '../lib/i18n'
import { app, t } from '../lib/state.svelte'

/** Parcels around that are fetched whole: those that may share a border with the one in hand. */
const MOST_AROUND = 1000
/** Degrees around a feature in which neighbours are looked for: about a metre. */
const NEAR = 1e-5
/** A draft is written when nothing has happened for so long. */
const KEEP_AFTER_MS = 300
/** Key of a feature that the server does not have yet. */
const NEW = 'new'

export interface State {
  /** The feature in hand and its neighbours, as they would be. */
  set: WorkingSet
  /** What was done to shared borders. */
  steps: readonly BorderStep[]
  properties: Properties
  /** A shape or a cut that is being drawn; a finished cut waits to be saved. */
  drawing?: Drawing | undefined
  /** Ids of the parcels to be joined to this one; absent when none are being picked. */
  merge?: readonly string[] | undefined
}

export type Tool = 'draw' | 'shape' | 'split' | 'merge'

export interface Message {
  kind: 'error' | 'done' | 'info'
  text: string
  /** What helps. */
  offer?: 'retry' | 'sign-in' | undefined
}

export interface Conflict {
  theirs: Fetched
  comparison: Comparison
}

export interface Place {
  store: DraftStore
  lang: () => typeof app.lang
}

export class Session {
  readonly collection: Collection
  rights: Rights
  id = $state<string | undefined>()
  base = $state.raw<Content | undefined>()
  etag: string | undefined
  baseSet: WorkingSet = new Map()
  fields = $state.raw<Field[]>([])
  history = $state.raw<History<State>>(begin<State>({ set: new Map(), steps: [], properties: {} }))
  ready = $state(false)
  /** Neighbours stay as they are when a corner that they share moves. */
  alone = $state(false)
  selected = $state.raw<Path | undefined>()
  /** The feature moves as one, its neighbours stay. */
  whole = $state(false)
  /** What a drag would make. */
  preview = $state.raw<State | undefined>()
  pointer = $state.raw<Snap | undefined>()
  /** The middle of the map is the pointer. */
  crosshair = $state(false)
  /** Whether there is anything to snap to: it is being fetched, it is there, or the map is too far away. */
  around = $state<'loading' | 'ready' | 'far'>('loading')
  /** Texts that are no values, by property. */
  texts = $state.raw<Readonly<Record<string, string>>>({})
  wrong = $state.raw<ReadonlyMap<string, string>>(new Map())
  /** Where the last refusal was. */
  trouble = $state.raw<Position | undefined>()
  message = $state.raw<Message | undefined>()
  saving = $state(false)
  reason = $state('')
  /** Names given to the pieces of a split, or to what is joined. */
  names = $state.raw<readonly string[]>([])
  conflict = $state.raw<Conflict | undefined>()
  /** Somebody else changed the feature while it is in hand. */
  remote = $state.raw<Fetched | 'gone' | undefined>()
  deleting = $state(false)
  closed = $state(false)
  sending: Draft['sending']
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly place: Place

  constructor(collection: Collection, rights: Rights, id: string | undefined, place: Place) {
    this.collection = collection
    this.rights = rights
    this.id = id
    this.place = place
    this.crosshair = app.touch
  }

  // ---- what is there ----

  get key(): string {
    return this.id === undefined ? NEW : `${this.collection.id}/${this.id}`
  }
  get state(): State {
    return this.preview ?? this.history.present
  }
  get geometry(): Geometry | null {
    return this.state.set.get(this.key)?.geometry ?? null
  }
  get editable(): Editable | undefined {
    const { geometry } = this
    return isEditable(geometry) ? geometry : undefined
  }
  get tool(): Tool {
    const { drawing, merge } = this.history.present
    return drawing ? (drawing.shape === 'cut' ? 'split' : 'draw') : merge ? 'merge' : 'shape'
  }
  get properties(): Properties {
    return this.history.present.properties
  }
  get now(): Content {
    return { geometry: this.history.present.set.get(this.key)?.geometry ?? null, properties: this.properties as Record<string, unknown> }
  }
  get patch() {
    return this.base && changes(this.base, this.now)
  }
  get problems(): readonly Problem[] {
    const { editable } = this
    return editable && editable !== this.base?.geometry ? problems(editable) : []
  }
  /** Keys of neighbours that are not what they were. */
  get sharedChanges(): string[] {
    return [...this.state.set].filter(([key, feature]) => key !== this.key && this.baseSet.get(key) !== feature && !equal(this.baseSet.get(key)?.geometry, feature.geometry)).map(([key]) => key)
  }
  get together(): boolean {
    return this.canShare && !this.alone
  }
  get canShare(): boolean {
    return this.id !== undefined && this.rights.operate && this.editable !== undefined && hasRings(this.editable)
  }
  /** Something would be lost without saving. */
  get dirty(): boolean {
    const { drawing, merge } = this.history.present
    if (this.id === undefined) return this.now.geometry !== null || (drawing?.positions.length ?? 0) > 0 || Object.values(this.properties).some((v) => v !== null && v !== undefined)
    return this.patch !== undefined || this.sharedChanges.length > 0 || (drawing?.positions.length ?? 0) > 0 || (merge?.length ?? 0) > 0 || Object.keys(this.texts).length > 0
  }

  // ---- begin ----

  /** Fetches what is edited. A draft goes on where it was left; false when the feature is gone. */
  async begin(draft?: Draft): Promise<boolean> {
    const lang = this.place.lang()
    const [schema, fetched] = await Promise.all([fetchRawSchema(this.collection.id, lang), this.id === undefined ? undefined : fetchForEditing(this.collection.id, this.id, lang)])
    this.fields = fieldsOf(schema, this.id === undefined)
    this.reason = draft?.reason ?? ''
    this.sending = draft?.sending
    if (this.id === undefined) this.beginNew(draft)
    else {
      if (!fetched) return false
      await this.beginWith(draft?.base ? { feature: { ...fetched.feature, ...draft.base } as Feature, ...(draft.etag !== undefined && { etag: draft.etag }) } : fetched)
      if (draft) this.resume(draft)
    }
    this.ready = true
    return true
  }

  /** Titles of the fields in another language. */
  async rename(): Promise<void> {
    const schema = await fetchRawSchema(this.collection.id, this.place.lang()).catch(() => undefined)
    if (schema) this.fields = fieldsOf(schema, this.id === undefined)
  }

  private beginNew(draft: Draft | undefined): void {
    const feature = draft?.geometry && { type: 'Feature' as const, geometry: draft.geometry, properties: {} }
    const { drawing } = draft ?? {}
    this.history = begin<State>({
      set: new Map(feature ? [[NEW, feature]] : []),
      steps: [],
      properties: draft?.properties ?? {},
      drawing: feature ? undefined : drawing ? resumeDrawing(drawing.shape, drawing.positions) : undefined,
    })
  }

  /** Takes a feature of the server as what the edit begins from, with its neighbours of now. */
  async beginWith({ feature, etag }: Fetched): Promise<void> {
    this.base = { geometry: feature.geometry, properties: feature.properties ?? {} }
    this.etag = etag
    const around = await this.neighbours(feature.geometry)
    this.baseSet = new Map([[this.key, feature], ...around.filter(([key]) => key !== this.key)])
    this.history = begin<State>({ set: this.baseSet, steps: [], properties: this.base.properties ?? {} })
    this.selected = undefined
    this.whole = false
    this.preview = undefined
    this.texts = {}
    this.wrong = new Map()
    this.remote = undefined
  }

  private async neighbours(geometry: Geometry | null): Promise<[string, Feature][]> {
    if (!geometry || !isEditable(geometry) || !hasRings(geometry) || !this.rights.operate) return []
    const [w, s, e, n] = boundsOf(geometry)
    const box: Bounds = [w - NEAR, s - NEAR, e + NEAR, n + NEAR]
    // Without them the feature can still be edited alone; the server knows all borders anyway.
    const { features } = await fetchAround(this.collection.id, box, MOST_AROUND, this.place.lang()).catch(() => ({ features: [] }))
    return features.map((f) => [`${this.collection.id}/${String(f.id)}`, f])
  }

  private resume(draft: Draft): void {
    const { present } = this.history
    const replayed = draft.steps && draft.steps.length > 0 ? replay(present.set, draft.steps) : undefined
    let set = replayed && !isRefused(replayed) ? replayed : present.set
    const self = set.get(this.key)!
    if (draft.geometry && !equal(self.geometry, draft.geometry)) set = new Map(set).set(this.key, { ...self, geometry: draft.geometry })
    const properties = { ...present.properties, ...draft.properties }
    const { drawing } = draft
    this.history = record(this.history, { set, steps: replayed && !isRefused(replayed) ? draft.steps! : [], properties, drawing: drawing && resumeDrawing(drawing.shape, drawing.positions), merge: draft.merge }, 'edit.did.draft')
  }

  // ---- steps ----

  /** A step that can be undone; the key of the message that names it. */
  step(state: Partial<State>, did: Key): void {
    this.preview = undefined
    this.trouble = undefined
    if (this.message?.kind !== 'info') this.message = undefined
    this.history = record(this.history, { ...this.history.present, ...state }, did)
    app.announcement = t(did)
    this.keepSoon()
  }

  undo(): void {
    const did = undoes(this.history)
    if (!did) return
    this.history = undo(this.history)
    this.afterTimeTravel(t('edit.undone', { step: t(did as Key) }))
  }
  redo(): void {
    const did = redoes(this.history)
    if (!did) return
    this.history = redo(this.history)
    this.afterTimeTravel(t('edit.redone', { step: t(did as Key) }))
  }
  private afterTimeTravel(said: string): void {
    this.preview = undefined
    this.trouble = undefined
    this.texts = {}
    this.wrong = new Map()
    this.selected = undefined
    app.announcement = said
    this.keepSoon()
  }

  refuse({ refused, at }: Refused): void {
    this.preview = undefined
    this.trouble = at
    this.message = { kind: 'error', text: t(refused) }
    app.announcement = t(refused)
  }

  draw(shape: Shape): void {
    this.selected = undefined
    this.step({ drawing: beginDrawing(shape), merge: undefined }, shape === 'cut' ? 'edit.did.beginCut' : 'edit.did.beginDraw')
  }

  setProperty(name: string, value: unknown): void {
    if (equal(this.properties[name], value)) return
    this.step({ properties: { ...this.properties, [name]: value } }, 'edit.did.property')
  }

  /** A text that is no value stays in its field until it is mended. */
  setText(name: string, text: string | undefined, wrong?: string): void {
    const { [name]: _, ...rest } = this.texts
    this.texts = text === undefined ? rest : { ...rest, [name]: text }
    const errors = new Map(this.wrong)
    if (wrong === undefined) errors.delete(name)
    else errors.set(name, wrong)
    this.wrong = errors
  }

  // ---- drafts ----

  keepSoon(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.keepNow(), KEEP_AFTER_MS)
  }

  async keepNow(): Promise<void> {
    clearTimeout(this.timer)
    if (this.closed || !this.ready) return
    if (!this.dirty) return this.forgetDraft()
    const kept = await keep(this.place.store, this.draft())
    if (isRefused(kept)) this.message = { kind: 'error', text: t(kept.refused) }
  }

  draft(): Draft {
    const { present } = this.history
    const { patch } = this
    const geometry = this.now.geometry
    const changed = this.id === undefined ? geometry : patch?.geometry !== undefined ? geometry : undefined
    const { drawing } = present
    return {
      collection: this.collection.id,
      ...(this.id !== undefined && { feature: this.id }),
      ...(this.etag !== undefined && { etag: this.etag }),
      ...(changed && isEditable(changed) && { geometry: changed }),
      properties: this.id === undefined ? { ...this.properties } : changedOf(this.base?.properties ?? {}, this.properties),
      ...(drawing && { drawing: { shape: drawing.shape, positions: [...drawing.positions] } }),
      ...(this.base && { base: this.base }),
      ...(present.steps.length > 0 && { steps: present.steps }),
      ...(present.merge && { merge: present.merge }),
      ...(this.sending && { sending: this.sending }),
      ...(this.reason && { reason: this.reason }),
      ...(app.view && { view: app.view }),
      savedAt: Date.now(),
    }
  }

  async forgetDraft(): Promise<void> {
    clearTimeout(this.timer)
    await forget(this.place.store, this.collection.id, this.id)
  }

  close(): void {
    clearTimeout(this.timer)
    this.closed = true
  }
}

function changedOf(before: Properties, now: Properties): Record<string, unknown> {
  return Object.fromEntries(Object.keys({ ...before, ...now }).filter((name) => !equal(before[name], now[name])).map((name) => [name, now[name] ?? null]))
}
