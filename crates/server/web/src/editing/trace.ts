/** Following a border that is there already, so that a new neighbour has the same vertices and not nearly the same. */
import type { Position } from 'geojson'
import { lineLength } from '../lib/geodesy'
import { hasRings, opened, partsOf, placeKey, type Editable, type Path } from './geometry'
import { nodePlaces, type WorkingSet } from './shared'

export interface Traced {
  feature: string
  /** Vertices after `from`, up to and with `to`. */
  positions: Position[]
  /** Metres. */
  length: number
}

/** Ways from one node to another along a single line or ring of the set, the shortest first; a ring has two. */
export function trace(set: WorkingSet, from: Position, to: Position): Traced[] {
  const ways: Traced[] = []
  const known = new Set<string>()
  for (const { feature, path } of nodePlaces(set, from)) {
    for (const end of nodePlaces(set, to)) {
      if (end.feature !== feature || end.path.part !== path.part || end.path.ring !== path.ring || end.path.vertex === path.vertex) continue
      for (const positions of waysOf(set.get(feature)!.geometry as Editable, path, end.path.vertex)) {
        // A border that two neighbours share is one way.
        const key = positions.map(placeKey).join(' ')
        if (known.has(key)) continue
        known.add(key)
        ways.push({ feature, positions, length: lineLength([from, ...positions]) })
      }
    }
  }
  return ways.sort((a, b) => a.length - b.length)
}

function waysOf(geometry: Editable, { part, ring, vertex }: Path, end: number): Position[][] {
  const line = partsOf(geometry)[part]![ring]!
  if (!hasRings(geometry)) return [vertex < end ? line.slice(vertex + 1, end + 1) : line.slice(end, vertex).reverse()]
  const corners = opened(line)
  const round = [...corners.slice(vertex + 1), ...corners.slice(0, vertex)]
  const at = (end - vertex + corners.length) % corners.length
  return [round.slice(0, at), round.slice(at - 1).reverse()]
}
