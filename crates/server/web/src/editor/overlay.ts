/** What an edit draws over the map: features with a `role`, and the layers that show each role. Not by colour alone: lines differ in dashes, points in form. */
import type { Feature, FeatureCollection, Geometry, Position } from 'geojson'
import type { LayerSpecification } from 'maplibre-gl'
import { isEditable, placeKey, segments, vertices, type Editable } from '../editing/geometry'
import { isRefused } from '../editing/outcome'
import { formatArea, formatLength } from '../lib/i18n'
import { distance } from '../lib/geodesy'
import { app, t } from '../lib/state.svelte'
import type { Theme } from '../lib/permalink'
import { coloursOf } from '../style/colours'
import { BOLD } from '../style/layers'
import type { Session } from './session.svelte'
import { drawingTo, isShared, joined, middle, piecesOf, samePath } from './tools'

export const EDIT = 'app edit'
/** With more corners than this, middles of sides would only hide them. */
const MOST_MIDDLES = 400
/** Corners drawn at once. */
const MOST_CORNERS = 5000

type Role = 'area' | 'mine' | 'theirs' | 'neighbour' | 'sketch' | 'corner' | 'shared' | 'middle' | 'selected' | 'snap' | 'trouble' | 'text' | 'picked' | 'dot' | 'name' | 'name below'

function f(role: Role, geometry: Geometry, text?: string): Feature {
  return { type: 'Feature', geometry, properties: text === undefined ? { role } : { role, text } }
}
const point = (coordinates: Position): Geometry => ({ type: 'Point', coordinates })
const line = (coordinates: readonly Position[]): Geometry => ({ type: 'LineString', coordinates: [...coordinates] })

export function overlayOf(s: Session): FeatureCollection {
  const features: Feature[] = s.conflict ? conflicting(s) : [...shape(s), ...sketch(s), ...pieces(s), ...joining(s)]
  const { pointer, trouble } = s
  if (pointer && pointer.kind !== 'free') features.push(f('snap', point(pointer.position)))
  for (const { at } of s.problems) features.push(f('trouble', point(at), '!'))
  if (trouble) features.push(f('trouble', point(trouble), '!'))
  return { type: 'FeatureCollection', features }
}

function shape(s: Session): Feature[] {
  const { geometry, editable, state } = s
  const out: Feature[] = []
  for (const key of s.sharedChanges) {
    const other = state.set.get(key)?.geometry
    if (other) out.push(f('neighbour', other))
  }
  if (!geometry) return out
  out.push(f('area', geometry))
  // What is joined is seen as one.
  const whole = joined(s)
  if (!whole || isRefused(whole)) out.push(f('mine', geometry))
  if (!editable || s.tool !== 'shape' || s.whole) return editable?.type.endsWith('Point') ? [...out, f('dot', geometry)] : out
  const all = [...vertices(editable)]
  for (const { path, position } of all.slice(0, MOST_CORNERS)) {
    out.push(f(samePath(path, s.selected) ? 'selected' : s.canShare && isShared(s, position) ? 'shared' : 'corner', point(position)))
  }
  if (all.length <= MOST_MIDDLES && !s.preview) for (const { from, to } of segments(editable)) out.push(f('middle', point(middle(from, to))))
  return out
}

function sketch(s: Session): Feature[] {
  const drawing = drawingTo(s)
  if (!drawing) return []
  const { positions, pointer } = drawing
  const all = pointer ? [...positions, pointer] : [...positions]
  const out: Feature[] = []
  if (drawing.shape === 'polygon' && all.length > 2) out.push(f('area', { type: 'Polygon', coordinates: [[...all, all[0]!]] }), f('sketch', line([...all, all[0]!])))
  else if (all.length > 1) out.push(f('sketch', line(all)))
  for (const position of positions) out.push(f('corner', point(position)))
  const last = positions.at(-1)
  if (last && pointer && distance(last, pointer) > 0.05) out.push(f('text', point(middle(last, pointer)), formatLength(app.lang, distance(last, pointer))))
  for (const { at } of drawing.problems) out.push(f('trouble', point(at), '!'))
  return out
}

function pieces(s: Session): Feature[] {
  return piecesOf(s).flatMap((piece, i) => [f('picked', piece.geometry), f('mine', piece.geometry), f('text', point(inner(piece.geometry.coordinates[0]!)), `${i + 1}: ${formatArea(app.lang, piece.area)}`)])
}

function joining(s: Session): Feature[] {
  const { merge, set } = s.history.present
  if (!merge) return []
  const result = joined(s)
  const others = merge.flatMap((id) => set.get(`${s.collection.id}/${id}`)?.geometry ?? [])
  return [...others.map((g) => f('picked', g)), ...(result && !isRefused(result) ? [f('mine', result)] : others.map((g) => f('neighbour', g)))]
}

function conflicting(s: Session): Feature[] {
  const { mine, theirs } = s.conflict!.comparison.geometry
  return (['theirs', 'mine'] as const).flatMap((side) => {
    const geometry = side === 'mine' ? mine : theirs
    if (!isEditable(geometry)) return []
    const other = new Set(isEditable(side === 'mine' ? theirs : mine) ? [...vertices((side === 'mine' ? theirs : mine) as Editable)].map((v) => placeKey(v.position)) : [])
    const all = [...vertices(geometry)].map((v) => v.position)
    // Where they differ; else at opposite ends.
    const corner = all.find((p) => !other.has(placeKey(p))) ?? all.reduce((a, b) => (side === 'mine' ? (b[1]! > a[1]! ? b : a) : b[1]! < a[1]! ? b : a))
    return [...(side === 'mine' ? [f('area', geometry)] : []), f(side, geometry), ...(geometry.type.endsWith('Point') ? [f(side === 'mine' ? 'dot' : 'shared', geometry)] : []), f(side === 'mine' ? 'name' : 'name below', point(corner), t(side === 'mine' ? 'conflict.mine' : 'conflict.theirs'))]
  })
}

/** The mean of the corners is within most pieces, and near enough for a label. */
function inner(ring: readonly Position[]): Position {
  const open = ring.slice(1)
  return [open.reduce((sum, p) => sum + p[0]!, 0) / open.length, open.reduce((sum, p) => sum + p[1]!, 0) / open.length]
}

export function editLayers(theme: Theme): LayerSpecification[] {
  const colours = coloursOf(theme)
  const source = EDIT
  const warning = theme === 'dark' ? '#ffab91' : '#b3261e'
  const theirs = theme === 'dark' ? '#ffc46b' : '#8a4b00'
  const role = (...names: Role[]): ['in', ['get', string], ['literal', string[]]] => ['in', ['get', 'role'], ['literal', names]]
  const round = { 'line-join': 'round', 'line-cap': 'round' } as const
  return [
    { id: `${source} area`, type: 'fill', source, filter: role('area'), paint: { 'fill-color': colours.selection, 'fill-opacity': 0.12 } },
    { id: `${source} picked`, type: 'fill', source, filter: role('picked'), paint: { 'fill-color': colours.measure, 'fill-opacity': 0.2 } },
    { id: `${source} casing`, type: 'line', source, filter: ['all', role('mine', 'theirs', 'sketch', 'neighbour'), ['!=', ['geometry-type'], 'Point']], layout: round, paint: { 'line-color': colours.selectionCasing, 'line-width': 6 } },
    { id: `${source} neighbour`, type: 'line', source, filter: role('neighbour'), layout: { 'line-join': 'round' }, paint: { 'line-color': colours.selection, 'line-width': 1.6, 'line-dasharray': [1, 2] } },
    { id: `${source} theirs`, type: 'line', source, filter: role('theirs'), layout: { 'line-join': 'round' }, paint: { 'line-color': theirs, 'line-width': 3, 'line-dasharray': [3, 2] } },
    { id: `${source} mine`, type: 'line', source, filter: role('mine'), layout: round, paint: { 'line-color': colours.selection, 'line-width': 2.6 } },
    { id: `${source} sketch`, type: 'line', source, filter: role('sketch'), layout: { 'line-join': 'round' }, paint: { 'line-color': colours.measure, 'line-width': 2.6, 'line-dasharray': [4, 1.2] } },
    { id: `${source} middle`, type: 'circle', source, filter: role('middle'), paint: { 'circle-radius': 3.2, 'circle-color': colours.halo, 'circle-stroke-color': colours.selection, 'circle-stroke-width': 1.2, 'circle-opacity': 0.85 } },
    { id: `${source} shared`, type: 'circle', source, filter: role('shared'), paint: { 'circle-radius': 8, 'circle-color': colours.halo, 'circle-opacity': 0.001, 'circle-stroke-color': colours.selection, 'circle-stroke-width': 1.6 } },
    { id: `${source} corner`, type: 'circle', source, filter: role('corner', 'shared', 'dot'), paint: { 'circle-radius': 4.8, 'circle-color': colours.halo, 'circle-stroke-color': colours.selection, 'circle-stroke-width': 2.4 } },
    { id: `${source} selected`, type: 'circle', source, filter: role('selected'), paint: { 'circle-radius': 7.5, 'circle-color': colours.selection, 'circle-stroke-color': colours.halo, 'circle-stroke-width': 2.4 } },
    { id: `${source} snap`, type: 'circle', source, filter: role('snap'), paint: { 'circle-radius': 10, 'circle-opacity': 0.001, 'circle-color': colours.halo, 'circle-stroke-color': colours.measure, 'circle-stroke-width': 3 } },
    { id: `${source} trouble`, type: 'circle', source, filter: role('trouble'), paint: { 'circle-radius': 10, 'circle-color': colours.halo, 'circle-stroke-color': warning, 'circle-stroke-width': 2.6 } },
    { id: `${source} trouble text`, type: 'symbol', source, filter: role('trouble'), layout: { 'text-field': ['get', 'text'], 'text-font': BOLD, 'text-size': 14, 'text-allow-overlap': true, 'text-ignore-placement': true }, paint: { 'text-color': warning } },
    ...(['name', 'name below'] as const).map((name): LayerSpecification => ({
      id: `${source} ${name}`, type: 'symbol', source, filter: role(name),
      layout: { 'text-field': ['get', 'text'], 'text-font': BOLD, 'text-size': 14, 'text-anchor': name === 'name' ? 'bottom' : 'top', 'text-offset': [0, name === 'name' ? -0.5 : 0.5], 'text-allow-overlap': true, 'text-ignore-placement': true },
      paint: { 'text-color': name === 'name' ? colours.selection : theirs, 'text-halo-color': colours.halo, 'text-halo-width': 2.4 },
    })),
    { id: `${source} text`, type: 'symbol', source, filter: role('text'), layout: { 'text-field': ['get', 'text'], 'text-font': BOLD, 'text-size': 13, 'text-allow-overlap': true, 'text-ignore-placement': true }, paint: { 'text-color': colours.label, 'text-halo-color': colours.halo, 'text-halo-width': 2.2 } },
  ]
}
