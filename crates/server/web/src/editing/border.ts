/**
 * What is done to borders that neighbours have too, kept as steps: they can be done again on a freshly fetched working set,
 * and they tell which operations to ask the server for.
 */
import type { LineString, Position } from 'geojson'
import { hasRings, inTurn, opened, partsOf, placeKey, samePlace, type Editable } from './geometry'
import { isRefused, refuse, type Outcome } from './outcome'
import { edgePlaces, insertNode, moveNode, nodePlaces, removeNode, type WorkingSet } from './shared'

export type BorderStep =
  | { did: 'move'; from: Position; to: Position }
  /** A new point between two. */
  | { did: 'insert'; from: Position; to: Position; at: Position }
  | { did: 'remove'; at: Position }

/** A body of `POST /collections/{id}/operations`, but for the tags. */
export type BorderOperation =
  | { operation: 'move'; points: { from: Position; to: Position }[] }
  | { operation: 'correct'; from: LineString; to: LineString }

/** Does the steps on another working set; refused where a point that a step names is not there. */
export function replay(set: WorkingSet, steps: readonly BorderStep[]): Outcome<WorkingSet> {
  return inTurn(set, steps, (state: WorkingSet, step: BorderStep): Outcome<WorkingSet> => {
    const place = step.did === 'insert' ? edgePlaces(state, step.from, step.to)[0] : nodePlaces(state, step.did === 'move' ? step.from : step.at)[0]
    if (!place) return refuse('editing.not-there', step.did === 'move' ? step.from : step.at)
    const change =
      step.did === 'move' ? moveNode(state, place.feature, place.path, step.to)
      : step.did === 'insert' ? insertNode(state, place.feature, place.path, step.at)
      : removeNode(state, place.feature, place.path)
    return isRefused(change) ? change : change.set
  })
}

/**
 * The operations that make `now` of `before`: one for all points that moved, then one for each stretch that got or lost
 * points. Refused where too little of a ring is left to hold on to.
 */
export function operations(before: Editable, now: Editable, steps: readonly BorderStep[]): Outcome<BorderOperation[]> {
  if (!hasRings(before) || !hasRings(now)) return refuse('editing.not-editable')
  const origins = originsOf(steps)
  const moved = new Map<string, { from: Position; to: Position }>()
  const corrections: BorderOperation[] = []
  const [old, next] = [partsOf(before), partsOf(now)]
  if (old.length !== next.length || old.some((part, i) => part.length !== next[i]!.length)) return refuse('editing.not-there')
  for (const [part, rings] of next.entries()) {
    for (const [ring, line] of rings.entries()) {
      const was = opened(old[part]![ring]!)
      const is = opened(line).map((at) => ({ at, from: origins.has(placeKey(at)) ? origins.get(placeKey(at))! : at }))
      const kept = is.flatMap(({ from }, i) => (from ? [{ now: i, was: was.findIndex((p) => samePlace(p, from)) }] : []))
      if (kept.some((k) => k.was < 0) || kept.length < 2) return refuse('editing.not-there', line[0])
      for (const k of kept) {
        const { at, from } = is[k.now]!
        if (from && !samePlace(at, from)) moved.set(placeKey(from), { from: plane(from), to: plane(at) })
      }
      for (const [i, k] of kept.entries()) {
        const end = kept[(i + 1) % kept.length]!
        const put = between(is, k.now, end.now).map((v) => v.at)
        const gone = between(was, k.was, end.was)
        if (put.length === 0 && gone.length === 0) continue
        const [first, last] = [is[k.now]!.at, is[end.now]!.at]
        corrections.push({ operation: 'correct', from: lineOf([first, ...gone, last]), to: lineOf([first, ...put, last]) })
      }
    }
  }
  return [...(moved.size > 0 ? [{ operation: 'move' as const, points: [...moved.values()] }] : []), ...corrections]
}

/** Where each point was at first, by where it is now; `null` for one that is new. */
function originsOf(steps: readonly BorderStep[]): Map<string, Position | null> {
  const origins = new Map<string, Position | null>()
  for (const step of steps) {
    if (step.did === 'insert') origins.set(placeKey(step.at), null)
    else if (step.did === 'remove') origins.delete(placeKey(step.at))
    else {
      const known = origins.get(placeKey(step.from))
      origins.delete(placeKey(step.from))
      origins.set(placeKey(step.to), known === undefined ? step.from : known)
    }
  }
  return origins
}

/** What lies between two places of a ring, without them. */
function between<T>(ring: readonly T[], from: number, to: number): T[] {
  return from < to ? ring.slice(from + 1, to) : [...ring.slice(from + 1), ...ring.slice(0, to)]
}

/** Operations are of the plane: heights are not named in them. */
const plane = (p: Position): Position => [p[0]!, p[1]!]
const lineOf = (positions: readonly Position[]): LineString => ({ type: 'LineString', coordinates: positions.map(plane) })
