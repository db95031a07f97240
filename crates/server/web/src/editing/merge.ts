/** What would become of polygons that are made one: edges that two of them have, in opposite directions, go. */
import type { MultiPolygon, Polygon, Position } from 'geojson'
import { lineLength, ringArea } from '../lib/geodesy'
import { assemble, loopsOf, ringEdges, simpleRings, type Edge } from './faces'
import { hasRings, partsOf, placeKey, type Editable } from './geometry'
import { refuse, type Outcome } from './outcome'
import { problems } from './validity'

/** Metres: a new ring narrower than this is a border that was drawn twice, not land. */
const SLIVER = 0.01

interface OwnedEdge extends Edge {
  owner: number
}

/** Vertices stay as they are, also those that a joined border leaves on a straight line. */
export function merge(geometries: readonly Editable[]): Outcome<Polygon | MultiPolygon> {
  const edges = new Map<string, OwnedEdge>()
  for (const [owner, geometry] of geometries.entries()) {
    if (!hasRings(geometry)) return refuse('editing.not-editable')
    const bad = problems(geometry)[0]
    if (bad) return refuse(bad.reason, bad.at)
    for (const { from, to } of partsOf(geometry).flatMap(ringEdges)) {
      const key = edgeKey(from, to)
      // Two insides on the same side of one edge.
      if (edges.has(key)) return refuse('editing.polygons-overlap', from)
      edges.set(key, { from, to, owner })
    }
  }
  // Which of the polygons hang together: the number of the group of each.
  let groups = geometries.map((_, i) => i)
  const left: OwnedEdge[] = []
  for (const edge of edges.values()) {
    const twin = edges.get(edgeKey(edge.to, edge.from))
    if (!twin) left.push(edge)
    else groups = groups.map((group) => (group === groups[twin.owner] ? groups[edge.owner]! : group))
  }
  const loops = loopsOf(left)
  const rings = loops && simpleRings(loops)
  const sliver = rings?.find((ring) => (2 * ringArea(ring)) / lineLength(ring) < SLIVER)
  if (sliver) return refuse('editing.borders-differ', sliver[0])
  const polygons = rings && assemble(rings)
  if (!polygons) return refuse('editing.borders-differ', left[0]?.from)
  const result: Polygon | MultiPolygon = polygons.length === 1 ? { type: 'Polygon', coordinates: polygons[0]! } : { type: 'MultiPolygon', coordinates: polygons }
  const bad = problems(result)[0]
  if (bad) return refuse(bad.reason === 'editing.parts-overlap' ? 'editing.polygons-overlap' : 'editing.borders-differ', bad.at)
  const apart = groups.findIndex((group) => group !== groups[0])
  return apart > 0 ? refuse('editing.not-contiguous', partsOf(geometries[apart]!)[0]![0]![0]) : result
}

function edgeKey(from: Position, to: Position): string {
  return `${placeKey(from)} ${placeKey(to)}`
}
