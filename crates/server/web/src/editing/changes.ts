/**
 * What to send of an edited feature, and what to ask when somebody else has changed it meanwhile. A patch is a JSON Merge
 * Patch (RFC 7396) in the shape of GeoJSON. It names only what changed: a field that a form does not show stays as it is.
 */
import type { Feature, Geometry } from 'geojson'
import { refuse, type Outcome } from './outcome'

export type Properties = Readonly<Record<string, unknown>>

export interface Patch {
  /** `null` unsets a property. */
  properties?: Record<string, unknown>
  geometry?: Geometry | null
}

/** A feature as far as it can be changed. */
export interface Content {
  geometry: Geometry | null
  properties: Feature['properties']
}

/** From the feature as it was fetched to the feature as it is now; nothing when nothing changed. */
export function changes(before: Content, now: Content): Patch | undefined {
  const patch: Patch = {}
  const properties = membersPatch(before.properties ?? {}, now.properties ?? {})
  if (Object.keys(properties).length > 0) patch.properties = properties
  if (!equal(before.geometry, now.geometry)) patch.geometry = geometryPatch(before.geometry, now.geometry)
  return patch.properties || patch.geometry !== undefined ? patch : undefined
}

/** The geometry goes whole; members that only the old one has must be unset, or they would stay. */
function geometryPatch(before: Geometry | null, now: Geometry | null): Geometry | null {
  if (!before || !now) return now
  const gone = Object.keys(before).filter((name) => !(name in now))
  return { ...now, ...Object.fromEntries(gone.map((name) => [name, null])) } as Geometry
}

/** A merge patch cannot tell a property that is null from one that is absent, so neither is a change to the other. */
function membersPatch(before: Properties, now: Properties): Record<string, unknown> {
  const names = new Set([...Object.keys(before), ...Object.keys(now)])
  return fromEntries([...names].flatMap((name) => (equal(own(before, name), own(now, name)) ? [] : [[name, valuePatch(own(before, name), own(now, name))]])))
}

/** Objects are merged member by member, so that a member which is gone needs its null; lists are replaced whole. */
function valuePatch(before: unknown, now: unknown): unknown {
  return isObject(before) && isObject(now) ? membersPatch(before, now) : (now ?? null)
}

/** The feature that the server would have after the patch. */
export function patched<T extends Content>(feature: T, patch: Patch | undefined): T {
  const next = { ...feature }
  if (patch?.properties) next.properties = mergePatch(feature.properties ?? {}, patch.properties) as Record<string, unknown>
  if (patch && patch.geometry !== undefined) next.geometry = mergePatch(feature.geometry, patch.geometry) as Geometry
  return next
}

/** RFC 7396 §2. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const members = new Map(Object.entries(isObject(target) ? target : {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name)
    else members.set(name, mergePatch(members.get(name), value))
  }
  return fromEntries([...members])
}

// ---- three ways ----

export type State = 'unchanged' | 'mine' | 'theirs' | 'same' | 'conflict'
export type Side = 'mine' | 'theirs'

export interface Compared<T> {
  state: State
  base: T
  mine: T
  theirs: T
}
export interface Comparison {
  properties: ReadonlyMap<string, Compared<unknown>>
  geometry: Compared<Geometry | null>
}

/** `base` is the feature that the edit began from, `theirs` what the server has now. */
export function compare(base: Content, mine: Content, theirs: Content): Comparison {
  const names = new Set([base, mine, theirs].flatMap((feature) => Object.keys(feature.properties ?? {})))
  const value = (feature: Content, name: string) => own(feature.properties ?? {}, name)
  return {
    properties: new Map([...names].map((name) => [name, compared(value(base, name), value(mine, name), value(theirs, name))])),
    geometry: compared(base.geometry, mine.geometry, theirs.geometry),
  }
}

function compared<T>(base: T, mine: T, theirs: T): Compared<T> {
  const [byMe, byThem] = [!equal(base, mine), !equal(base, theirs)]
  const state = byMe && byThem ? (equal(mine, theirs) ? 'same' : 'conflict') : byMe ? 'mine' : byThem ? 'theirs' : 'unchanged'
  return { state, base, mine, theirs }
}

/** What a person chose; for what only one side changed, that side stands where nothing is chosen. */
export interface Choice {
  properties?: ReadonlyMap<string, Side>
  geometry?: Side
}

/** What is still to be chosen: names of properties, and whether the geometry is. */
export function open(comparison: Comparison, choice: Choice): { properties: string[]; geometry: boolean } {
  return {
    properties: [...comparison.properties].filter(([name, c]) => c.state === 'conflict' && !choice.properties?.get(name)).map(([name]) => name),
    geometry: comparison.geometry.state === 'conflict' && !choice.geometry,
  }
}

/** The patch against theirs; nothing when theirs stands as it is. Refused while a conflict is open. */
export function merged(comparison: Comparison, choice: Choice): Outcome<Patch | undefined> {
  const left = open(comparison, choice)
  if (left.properties.length > 0 || left.geometry) return refuse('editing.conflict-open')
  const pick = <T>(c: Compared<T>, side: Side | undefined): T => ((side ?? (c.state === 'mine' ? 'mine' : 'theirs')) === 'mine' ? c.mine : c.theirs)
  const entries = [...comparison.properties]
  const feature = (value: (name: string, c: Compared<unknown>) => unknown, geometry: Geometry | null): Content => ({
    properties: fromEntries(entries.map(([name, c]) => [name, value(name, c)])),
    geometry,
  })
  return changes(
    feature((_, c) => c.theirs, comparison.geometry.theirs),
    feature((name, c) => pick(c, choice.properties?.get(name)), pick(comparison.geometry, choice.geometry)),
  )
}

// ---- values ----

/** Equal as JSON, whatever the order of members; null is as good as absent. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (a === null || a === undefined) return b === null || b === undefined
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((x, i) => equal(x, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((name) => equal(own(a, name), own(b, name)))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A property may have the name of something that every object has. */
function own(object: Properties, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function fromEntries(entries: readonly (readonly [string, unknown])[] | unknown[][]): Record<string, unknown> {
  return Object.fromEntries(entries as [string, unknown][])
}
