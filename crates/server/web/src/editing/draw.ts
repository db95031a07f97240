/** Drawing as a reducer: a state and what happened give the next state. The map only shows it and reports events. */
import type { LineString, Point, Polygon, Position } from 'geojson'
import type { Bounds } from '../lib/api'
import { parseCoordinates } from '../lib/coordinates'
import { samePlace } from './geometry'
import { meet } from './orient'
import { refuse, type Reason, type Refused } from './outcome'
import { wrongCut } from './split'
import { problems as problemsOf, type Problem } from './validity'

export type Shape = 'point' | 'line' | 'polygon' | 'hole' | 'cut'

export interface Drawing {
  shape: Shape
  /** Rings of the polygon that a hole is drawn in. */
  within?: readonly Position[][]
  status: 'drawing' | 'finished' | 'cancelled'
  positions: readonly Position[]
  /** Where the next position would be, snapped. */
  pointer?: Position | undefined
  /** Of the sides drawn so far. */
  drawnProblems: readonly Problem[]
  /** Of these sides and the one to the pointer. */
  problems: readonly Problem[]
  /** Why the last event was not taken. */
  refused?: Refused | undefined
  /** When finished; for a hole the polygon of its ring, for a cut the line. */
  geometry?: Point | LineString | Polygon
}

export type DrawEvent =
  /** A click: upon the last position it finishes, upon the first it closes a ring. */
  | { type: 'add'; position: Position }
  /** Coordinates as people write them, taken exactly; for `boxes` see `parseCoordinates`. */
  | { type: 'type'; text: string; boxes?: readonly Bounds[] }
  /** Without a position the pointer has left the map. */
  | { type: 'move'; position?: Position }
  | { type: 'remove-last' }
  | { type: 'finish' }
  | { type: 'cancel' }

export function beginDrawing(shape: Shape, within?: readonly Position[][]): Drawing {
  return { shape, ...(within && { within }), status: 'drawing', positions: [], drawnProblems: [], problems: [] }
}

/** A drawing as a draft kept it. */
export function resumeDrawing(shape: Shape, positions: readonly Position[], within?: readonly Position[][]): Drawing {
  return withPositions(beginDrawing(shape, within), positions)
}

export function draw(drawing: Drawing, event: DrawEvent): Drawing {
  if (drawing.status !== 'drawing') return drawing
  const state = { ...drawing, refused: undefined }
  switch (event.type) {
    case 'add':
      return add(state, event.position)
    case 'type': {
      const position = parseCoordinates(event.text, event.boxes)
      return position ? add(state, position) : no(state, 'editing.not-coordinates')
    }
    case 'move':
      return withPointer(state, event.position)
    case 'remove-last':
      return withPositions(state, state.positions.slice(0, -1))
    case 'finish':
      return finish(state)
    case 'cancel':
      return { ...state, status: 'cancelled', pointer: undefined }
  }
}

function no(state: Drawing, reason: Reason, at?: Position): Drawing {
  return { ...state, refused: refuse(reason, at) }
}

const isRing = (shape: Shape) => shape === 'polygon' || shape === 'hole'
const fewest: Record<Shape, number> = { point: 1, line: 2, polygon: 3, hole: 3, cut: 2 }

function add(state: Drawing, position: Position): Drawing {
  const { shape, positions } = state
  const [first, last] = [positions[0], positions.at(-1)]
  if (shape === 'point') return finish(withPositions(state, [position]))
  if (last && samePlace(last, position)) return positions.length < fewest[shape] ? no(state, 'editing.same-place', position) : finish(state)
  if (first && samePlace(first, position) && shape !== 'line') {
    // A ring needs three corners, a closed cut too.
    if (positions.length < 3) return no(state, 'editing.too-few-points', position)
    return finish(isRing(shape) ? state : withPositions(state, [...positions, position]))
  }
  const next = [...positions, position]
  const drawnProblems = [...state.drawnProblems, ...sideProblems(state, positions, position)]
  return withPointer({ ...state, positions: next, drawnProblems }, undefined)
}

function withPointer(state: Drawing, pointer: Position | undefined): Drawing {
  const more = pointer ? sideProblems(state, state.positions, pointer) : []
  return { ...state, pointer, problems: [...state.drawnProblems, ...more] }
}

function withPositions(state: Drawing, positions: readonly Position[]): Drawing {
  const drawnProblems = positions.flatMap((p, i) => sideProblems(state, positions.slice(0, i), p))
  return withPointer({ ...state, positions, drawnProblems }, undefined)
}

/** What is wrong with a side from the last position to the next. A line may cross itself, as roads do. */
function sideProblems({ shape, within }: Drawing, positions: readonly Position[], next: Position): Problem[] {
  const last = positions.at(-1)
  if (!last || samePlace(last, next) || shape === 'line' || shape === 'point') return []
  const own = sides(positions).flatMap(([a, b], i): Problem[] => {
    const met = meet(a, b, last, next)
    if (!met) return []
    if (met.kind !== 'touch') return [{ reason: 'editing.crosses-itself', at: met.at }]
    const joins = i === positions.length - 2 || (i === 0 && samePlace(next, a))
    return joins ? [] : [{ reason: 'editing.touches-itself', at: met.at }]
  })
  const border = (within ?? []).flatMap((ring, i) =>
    sides(ring).flatMap(([a, b]): Problem[] => {
      const met = meet(a, b, last, next)
      return met && met.kind !== 'touch' ? [{ reason: i === 0 ? 'editing.hole-crosses-shell' : 'editing.holes-cross', at: met.at }] : []
    }),
  )
  return [...own, ...border]
}

function sides(line: readonly Position[]): [Position, Position][] {
  return line.slice(1).map((b, i) => [line[i]!, b])
}

function finish(state: Drawing): Drawing {
  const { shape, positions, within } = state
  if (positions.length < fewest[shape]) return no(state, 'editing.too-few-points', positions.at(-1))
  const done = (geometry: Point | LineString | Polygon): Drawing => ({ ...state, status: 'finished', pointer: undefined, problems: [], geometry })
  if (shape === 'point') return done({ type: 'Point', coordinates: positions[0]! })
  if (shape === 'line') return done({ type: 'LineString', coordinates: [...positions] })
  if (shape === 'cut') {
    const wrong = wrongCut(positions)
    return wrong ? { ...state, refused: wrong } : done({ type: 'LineString', coordinates: [...positions] })
  }
  const ring = [...positions, positions[0]!]
  // What was wrong with the polygon before is not the fault of its new hole.
  const before = new Set(within ? problemsOf({ type: 'Polygon', coordinates: [...within] }).map(key) : [])
  const bad = problemsOf({ type: 'Polygon', coordinates: [...(within ?? []), ring] }).find((problem) => !before.has(key(problem)))
  return bad ? no(state, bad.reason, bad.at) : done({ type: 'Polygon', coordinates: [ring] })
}

function key({ reason, at }: Problem): string {
  return `${reason} ${at.join(' ')}`
}
