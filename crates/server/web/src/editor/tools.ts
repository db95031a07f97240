/** What the pointer, the keys and the buttons do to a session. */
import type { Position } from 'geojson'
import { changes } from '../editing/changes'
import type { BorderStep } from '../editing/border'
import { beginDrawing, draw, type DrawEvent, type Shape } from '../editing/draw'
import { isEditable, placeKey, positionAt, samePlace, segments, translate, vertices, type Editable, type Path, type SegmentPath } from '../editing/geometry'
import { isRefused } from '../editing/outcome'
import { edgePlaces, insertNode, moveNode, nodePlaces, removeNode, type WorkingSet } from '../editing/shared'
import { split, type Piece } from '../editing/split'
import { merge } from '../editing/merge'
import { asCollectionHas } from '../editing/send'
import { parseCoordinates } from '../lib/coordinates'
import { app, knownBoxes, t } from '../lib/state.svelte'
import type { Session } from './session.svelte'

/** Shapes that the collection takes. */
export function shapesOf(geometryType: string): Shape[] {
  const kind = geometryType.replace('multi', '')
  if (kind === 'point') return ['point']
  if (kind === 'linestring') return ['line']
  if (kind === 'polygon') return ['polygon']
  return kind === 'geometry' ? ['point', 'line', 'polygon'] : []
}

// ---- drawing ----

export function drawEvent(s: Session, event: DrawEvent): void {
  const { drawing } = s.history.present
  if (!drawing || drawing.status === 'finished') return
  const next = draw(drawing, event)
  if (next.refused) return s.refuse(next.refused)
  if (next.status === 'finished' && next.geometry) {
    if (next.shape === 'cut') return s.step({ drawing: next }, 'edit.did.cut')
    const geometry = asCollectionHas(next.geometry, s.collection.geometryType)
    const feature = { type: 'Feature' as const, geometry, properties: {} }
    return s.step({ drawing: undefined, set: new Map(s.history.present.set).set(s.key, feature) }, 'edit.did.drawn')
  }
  const did = event.type === 'remove-last' ? 'edit.did.pointRemoved' : 'edit.did.point'
  if (next.positions !== drawing.positions) s.step({ drawing: next }, did)
}

/** The drawing with the side to the pointer. */
export function drawingTo(s: Session) {
  const { drawing } = s.history.present
  if (!drawing || drawing.status === 'finished' || !s.pointer) return drawing
  return draw(drawing, { type: 'move', position: s.pointer.position })
}

/** True when it was used. */
export function typed(s: Session, text: string): boolean {
  const at = parseCoordinates(text, knownBoxes())
  if (!at) {
    s.refuse({ refused: 'editing.not-coordinates' })
    return false
  }
  if (s.selected && s.tool === 'shape') moveSelected(s, at)
  else drawEvent(s, { type: 'add', position: at })
  return true
}

// ---- corners ----

export function paths(s: Session): Path[] {
  return s.editable ? [...vertices(s.editable)].map((v) => v.path) : []
}

export const samePath = (a: Path | undefined, b: Path | undefined) => !!a && !!b && a.part === b.part && a.ring === b.ring && a.vertex === b.vertex

export function select(s: Session, path: Path | undefined): void {
  s.selected = path
  if (!path) return
  const all = paths(s)
  const others = sharers(s, path)
  const said = [t('edit.corner', { i: all.findIndex((p) => samePath(p, path)) + 1, n: all.length })]
  if (others.length > 0) said.push(t('edit.shared', { n: others.length }))
  app.announcement = said.join('. ')
}

export function selectNext(s: Session, by: 1 | -1): void {
  const all = paths(s)
  if (all.length === 0) return
  const at = all.findIndex((p) => samePath(p, s.selected))
  select(s, all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length])
}

/** Keys of the neighbours that have a corner there. */
export function sharers(s: Session, path: Path): string[] {
  const at = s.editable && positionAt(s.editable, path)
  if (!at) return []
  return [...new Set(nodePlaces(s.state.set, at).map((p) => p.feature))].filter((key) => key !== s.key)
}

/** Keys of the places that neighbours have, for one state each: drawing asks for every corner of a frame. */
const places = new WeakMap<WorkingSet, Set<string>>()
export function isShared(s: Session, position: Position): boolean {
  const { set } = s.history.present
  let known = places.get(set)
  if (!known) {
    known = new Set([...set].flatMap(([key, { geometry }]) => (key !== s.key && isEditable(geometry) ? [...vertices(geometry)].map((v) => placeKey(v.position)) : [])))
    places.set(set, known)
  }
  return known.has(placeKey(position))
}

/** Where a move of the corner would lead; nothing when it is refused. */
export function previewMove(s: Session, path: Path, to: Position): void {
  const moved = moveNode(s.history.present.set, s.key, path, to, s.together ? 'together' : 'alone')
  if (!isRefused(moved)) s.preview = { ...s.history.present, set: moved.set }
}

export function moveCorner(s: Session, path: Path, to: Position): void {
  const { present } = s.history
  const geometry = present.set.get(s.key)?.geometry
  const from = isEditable(geometry) ? positionAt(geometry, path) : undefined
  s.preview = undefined
  if (!from || samePlace(from, to)) return
  const moved = moveNode(present.set, s.key, path, to, s.together ? 'together' : 'alone')
  if (isRefused(moved)) return s.refuse(moved)
  s.step({ set: moved.set, steps: withStep(s, { did: 'move', from, to }) }, moved.changed.length > 1 ? 'edit.did.movedTogether' : 'edit.did.moved')
}

export function moveSelected(s: Session, to: Position): void {
  if (s.selected) moveCorner(s, s.selected, to)
}

/** The whole feature by so many degrees. */
function shifted(s: Session, by: readonly [number, number]) {
  const { present } = s.history
  const feature = present.set.get(s.key)
  return feature && isEditable(feature.geometry) ? new Map(present.set).set(s.key, { ...feature, geometry: translate(feature.geometry, by) }) : present.set
}
export function previewWhole(s: Session, by: readonly [number, number]): void {
  s.preview = { ...s.history.present, set: shifted(s, by) }
}
export function moveWhole(s: Session, by: readonly [number, number]): void {
  s.preview = undefined
  if (by[0] !== 0 || by[1] !== 0) s.step({ set: shifted(s, by) }, 'edit.did.movedWhole')
}

/** Moving it as one leaves the neighbours where they are, so it is not begun with their corners moved along. */
export function setWhole(s: Session, on: boolean): void {
  if (on && s.sharedChanges.length > 0) return
  s.whole = on
  s.selected = undefined
  if (on && mayChooseSharing(s)) s.alone = true
}

/** Puts a corner into a side; the new one is selected. */
export function insertCorner(s: Session, segment: SegmentPath, at: Position): void {
  const { present } = s.history
  const { editable } = s
  if (!editable) return
  const side = [...segments(editable)].find((x) => samePath(x.path, segment))
  if (!side) return
  const next = insertNode(present.set, s.key, segment, at, s.together ? 'together' : 'alone')
  if (isRefused(next)) return s.refuse(next)
  s.step({ set: next.set, steps: withStep(s, { did: 'insert', from: side.from, to: side.to, at }) }, 'edit.did.inserted')
  s.selected = { ...segment, vertex: segment.vertex + 1 }
}

/** In the middle of the side after the selected corner. */
export function insertAfterSelected(s: Session): void {
  const side = s.editable && [...segments(s.editable)].find((x) => samePath(x.path, s.selected))
  if (side) insertCorner(s, side.path, middle(side.from, side.to))
}

export const middle = (a: Position, b: Position): Position => [(a[0]! + b[0]!) / 2, (a[1]! + b[1]!) / 2]

export function removeSelected(s: Session): void {
  if (!s.selected || !s.editable) return
  const at = positionAt(s.editable, s.selected)
  if (!at) return
  const next = removeNode(s.history.present.set, s.key, s.selected, s.together ? 'together' : 'alone')
  if (isRefused(next)) return s.refuse(next)
  s.selected = undefined
  s.step({ set: next.set, steps: withStep(s, { did: 'remove', at }) }, 'edit.did.removed')
}

/** What is done alone leaves the neighbours as they are, and is no step on a common border. */
function withStep(s: Session, step: BorderStep): readonly BorderStep[] {
  const { steps } = s.history.present
  return s.together ? [...steps, step] : steps
}

/** Sharing can be chosen while no corner has moved: half together and half alone would fit nowhere. */
export function mayChooseSharing(s: Session): boolean {
  return s.base !== undefined && changes({ ...s.base, properties: {} }, { ...s.now, properties: {} }) === undefined && s.sharedChanges.length === 0
}

// ---- dividing and joining ----

/** Pieces that the finished cut would make. */
export function piecesOf(s: Session): Piece[] {
  const { drawing } = s.history.present
  if (drawing?.shape !== 'cut' || drawing.status !== 'finished' || !s.editable) return []
  const pieces = split(s.editable, drawing.positions)
  return isRefused(pieces) ? [] : pieces
}

/** A cut that divides nothing is not begun to be saved. */
export function finishCut(s: Session): void {
  const { drawing } = s.history.present
  if (!drawing || !s.editable) return
  const pieces = split(s.editable, drawing.positions)
  if (drawing.positions.length >= 2 && isRefused(pieces)) return s.refuse(pieces)
  drawEvent(s, { type: 'finish' })
}

export function toggleMerge(s: Session, id: string): void {
  const { merge: picked } = s.history.present
  if (!picked || id === s.id) return
  s.step({ merge: picked.includes(id) ? picked.filter((x) => x !== id) : [...picked, id] }, picked.includes(id) ? 'edit.did.unpicked' : 'edit.did.picked')
}

/** Ids of the parcels beside: those with a side in common. */
export function besides(s: Session): string[] {
  // As it was: a border that is being dragged changes no neighbour.
  const geometry = s.base?.geometry
  if (!isEditable(geometry)) return []
  const keys = new Set([...segments(geometry)].flatMap(({ from, to }) => edgePlaces(s.baseSet, from, to).map((p) => p.feature)))
  return [...keys].filter((key) => key !== s.key).map((key) => String(s.baseSet.get(key)?.id))
}

/** What would become of the picked ones, or why nothing. */
export function joined(s: Session) {
  const { merge: picked, set } = s.history.present
  if (!picked || picked.length === 0) return undefined
  const all = [s.key, ...picked.map((id) => `${s.collection.id}/${id}`)].map((key) => set.get(key)?.geometry)
  return all.every((g): g is Editable => isEditable(g)) ? merge(all) : undefined
}

// ---- leaving a step ----

/** Esc: one step back within the session; false when there is none. */
export function cancelStep(s: Session): boolean {
  if (s.deleting) s.deleting = false
  else if (s.conflict) s.conflict = undefined
  else if (s.preview) s.preview = undefined
  else if (s.whole) s.whole = false
  else if (s.tool === 'draw' || s.tool === 'split') {
    const { drawing } = s.history.present
    if (s.id === undefined && drawing && drawing.positions.length === 0) return false
    s.step({ drawing: s.id === undefined ? beginDrawing(drawing!.shape) : undefined }, 'edit.did.cancelled')
  } else if (s.tool === 'merge') s.step({ merge: undefined }, 'edit.did.cancelled')
  else if (s.selected) s.selected = undefined
  else return false
  return true
}
