/**
 * A working set: the features being edited and their neighbours. Vertices at equal places are one node, whichever
 * features they belong to, so that a border between two parcels stays one border. Every change gives a new set.
 */
import type { Feature, Position } from 'geojson'
import { beside, insertVertex, inTurn, isEditable, moveVertex, placeKey, positionAt, removeVertex, samePlace, segments, vertices, type Editable, type Path, type SegmentPath } from './geometry'
import { isRefused, refuse, type Outcome, type Reason } from './outcome'

/** Features by a key that the caller chooses, such as `collection/id`. */
export type WorkingSet = ReadonlyMap<string, Feature>

/** Whether a change is made in every feature that has the node or edge, or in the named one only. */
export type Sharing = 'together' | 'alone'

export interface Change {
  set: WorkingSet
  /** Keys of the features that are not what they were. */
  changed: string[]
}

/** A vertex or segment of the working set. */
export interface Place {
  feature: string
  path: Path
}

/** Paths by the key of a node, and by the key of an edge in either direction. */
interface Index {
  nodes: Map<string, Path[]>
  edges: Map<string, SegmentPath[]>
}
/** Geometries never change, so an index is good for as long as its geometry lives. */
const indexes = new WeakMap<Editable, Index>()

function indexOf(geometry: Editable): Index {
  const known = indexes.get(geometry)
  if (known) return known
  const index: Index = { nodes: new Map(), edges: new Map() }
  for (const { path, position } of vertices(geometry)) push(index.nodes, placeKey(position), path)
  for (const { path, from, to } of segments(geometry)) push(index.edges, edgeKey(from, to), path)
  indexes.set(geometry, index)
  return index
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

function edgeKey(a: Position, b: Position): string {
  const [one, other] = [placeKey(a), placeKey(b)]
  return one < other ? `${one} ${other}` : `${other} ${one}`
}

/** Every vertex at the place. */
export function nodePlaces(set: WorkingSet, at: Position): Place[] {
  return placesOf(set, (index) => index.nodes.get(placeKey(at)))
}

/** Every segment between the two places, in either direction. */
export function edgePlaces(set: WorkingSet, from: Position, to: Position): Place[] {
  return placesOf(set, (index) => index.edges.get(edgeKey(from, to)))
}

function placesOf(set: WorkingSet, find: (index: Index) => Path[] | undefined): Place[] {
  return [...set].flatMap(([feature, { geometry }]) => (isEditable(geometry) ? (find(indexOf(geometry)) ?? []) : []).map((path) => ({ feature, path })))
}

export function moveNode(set: WorkingSet, feature: string, path: Path, to: Position, sharing: Sharing = 'together'): Outcome<Change> {
  const from = at(set, feature, path)
  if (!from) return refuse('editing.not-there')
  if (samePlace(from, to)) return { set, changed: [] }
  const places = pick(nodePlaces(set, from), feature, sharing)
  // A vertex upon the one beside it would leave a segment without length.
  if (places.some((place) => besidePlace(set, place).some((p) => samePlace(p, to)))) return refuse('editing.same-place', to)
  return edit(set, places, (geometry, at) => moveVertex(geometry, at, to))
}

/** Puts a node into the segment and into every other segment with the same ends. */
export function insertNode(set: WorkingSet, feature: string, segment: SegmentPath, position: Position, sharing: Sharing = 'together'): Outcome<Change> {
  const ends = segmentAt(set, feature, segment)
  if (!ends) return refuse('editing.not-there')
  return edit(set, pick(edgePlaces(set, ...ends), feature, sharing), (geometry, place) => insertVertex(geometry, place, position))
}

/**
 * Moves a node upon a segment, which gets a vertex there in every feature that has it: without it, the two would only seem
 * to touch.
 */
export function moveNodeOnto(set: WorkingSet, feature: string, path: Path, segment: Place, to: Position, sharing: Sharing = 'together'): Outcome<Change> {
  const from = at(set, feature, path)
  if (!from) return refuse('editing.not-there')
  const joined = insertNode(set, segment.feature, segment.path, to)
  if (isRefused(joined)) return joined
  // The new vertex may have moved the path of the node.
  const place = nodePlaces(joined.set, from).find((p) => p.feature === feature)!
  const moved = moveNode(joined.set, feature, place.path, to, sharing)
  return isRefused(moved) ? moved : { set: moved.set, changed: [...new Set([...joined.changed, ...moved.changed])] }
}

/**
 * Takes a node out of every feature that has it. Where more than two borders meet it is refused: without the node the
 * features would no longer fit together.
 */
export function removeNode(set: WorkingSet, feature: string, path: Path, sharing: Sharing = 'together'): Outcome<Change> {
  const from = at(set, feature, path)
  if (!from) return refuse('editing.not-there')
  const places = pick(nodePlaces(set, from), feature, sharing)
  if (new Set(places.map((place) => neighbourKey(set, place))).size > 1) return refuse('editing.node-is-joint', from)
  return edit(set, places, removeVertex)
}

function neighbourKey(set: WorkingSet, place: Place): string {
  return besidePlace(set, place).map(placeKey).sort().join(' ')
}

function besidePlace(set: WorkingSet, { feature, path }: Place): Position[] {
  return beside(set.get(feature)!.geometry as Editable, path)
}

/** Adds features or puts them in the place of those with the same keys. */
export function putFeatures(set: WorkingSet, features: Iterable<[string, Feature]>): Change {
  const changed = [...features].filter(([key, feature]) => set.get(key) !== feature)
  return { set: new Map([...set, ...changed]), changed: changed.map(([key]) => key) }
}

export function dropFeatures(set: WorkingSet, keys: Iterable<string>): Change {
  const dropped = new Set(keys)
  return { set: new Map([...set].filter(([key]) => !dropped.has(key))), changed: [...dropped].filter((key) => set.has(key)) }
}

/** Changes one geometry by itself: a hole, a part, a new end of a line. */
export function editAlone(set: WorkingSet, feature: string, change: (geometry: Editable) => Outcome<Editable>): Outcome<Change> {
  const old = set.get(feature)
  if (!old || !isEditable(old.geometry)) return refuse(old ? 'editing.not-editable' : 'editing.not-there')
  const geometry = change(old.geometry)
  if (isRefused(geometry)) return geometry
  return { set: new Map(set).set(feature, { ...old, geometry }), changed: [feature] }
}

function at(set: WorkingSet, feature: string, path: Path): Position | undefined {
  const geometry = set.get(feature)?.geometry
  return isEditable(geometry) ? positionAt(geometry, path) : undefined
}

function segmentAt(set: WorkingSet, feature: string, { part, ring, vertex }: SegmentPath): [Position, Position] | undefined {
  const geometry = set.get(feature)?.geometry
  if (!isEditable(geometry)) return undefined
  for (const { path, from, to } of segments(geometry)) {
    if (path.part === part && path.ring === ring && path.vertex === vertex) return [from, to]
  }
  return undefined
}

function pick(places: readonly Place[], feature: string, sharing: Sharing): Place[] {
  return places.filter((place) => sharing === 'together' || place.feature === feature)
}

/** All places or none: a change that one feature refuses is not made in the others. */
function edit(set: WorkingSet, places: readonly Place[], change: (geometry: Editable, path: Path) => Outcome<Editable>): Outcome<Change> {
  const changed = [...new Set(places.map((place) => place.feature))]
  const next = new Map(set)
  for (const key of changed) {
    const feature = set.get(key)!
    // From the end, so that the paths still to come hold.
    const paths = places.filter((place) => place.feature === key).map((place) => place.path).reverse()
    const geometry = inTurn(feature.geometry as Editable, paths, change)
    if (isRefused(geometry)) return geometry
    next.set(key, { ...feature, geometry })
  }
  return { set: next, changed }
}

/** Why a node cannot be removed, or nothing; for a button that says so before it is pressed. */
export function whyNotRemove(set: WorkingSet, feature: string, path: Path, sharing: Sharing = 'together'): Reason | undefined {
  const outcome = removeNode(set, feature, path, sharing)
  return isRefused(outcome) ? outcome.refused : undefined
}
