/** What stands on a parcel and which zones it lies in: asked of the collections that the server has. */
import type { Feature, Geometry, Position } from 'geojson'
import { treatmentOf, type Recipe } from '../style/treatment'
import { fetchItems, type Collection } from './api'
import { boundsOf } from './geodesy'
import type { Lang } from './i18n'
import type { Ref } from './permalink'
import { apiId, labelOf } from './refs'

/** Features asked of one collection: a parcel with more of them is better looked at on the map. */
const LIMIT = 60
/** Points a side of the grid that tells how much of a parcel lies in a zone. */
const GRID = 12

export interface Part extends Ref {
  label: string
  /** Share of the parcel, 0 to 1; for zones. */
  share?: number
}
export interface OnParcel {
  collection: Collection
  kind: 'zone' | 'building' | 'address'
  parts: Part[]
}

const KINDS: Partial<Record<Recipe, OnParcel['kind']>> = { zone: 'zone', overlay: 'zone', building: 'building', address: 'address' }

export async function onParcel(parcel: Feature, number: string, catalogue: readonly Collection[], lang: Lang, asOf?: string): Promise<OnParcel[]> {
  const { geometry } = parcel
  if (geometry?.type !== 'Polygon' && geometry?.type !== 'MultiPolygon') return []
  const samples = pointsWithin(geometry)
  const asked = catalogue.flatMap((collection) => {
    const kind = KINDS[treatmentOf(collection).recipe]
    return kind ? [{ collection, kind }] : []
  })
  const found = await Promise.all(
    asked.map(async ({ collection, kind }): Promise<OnParcel> => {
      // One collection that does not answer must not hide the others.
      const items = await fetchItems(collection.id, boundsOf(geometry), LIMIT, lang, asOf).catch(() => ({ features: [] }))
      const parts = items.features.flatMap((f): Part[] => {
        const id = apiId(f)
        if (id === undefined) return []
        const part = { collection: collection.id, id, label: labelOf(f.properties, collection, lang) }
        if (kind === 'zone') {
          const share = samples.filter((p) => contains(f.geometry, p)).length / samples.length
          return share > 0.02 ? [{ ...part, share }] : []
        }
        const named = number !== '' && Object.values(f.properties ?? {}).includes(number)
        const at = kind === 'address' ? point(f.geometry) : pointsWithin(f.geometry)[0]
        return named || (at && contains(geometry, at)) ? [part] : []
      })
      if (kind === 'zone') parts.sort((a, b) => b.share! - a.share!)
      return { collection, kind, parts }
    }),
  )
  const rank = { zone: 0, building: 1, address: 2 }
  return found.filter((x) => x.parts.length > 0).sort((a, b) => rank[a.kind] - rank[b.kind])
}

function point(g: Geometry): Position | undefined {
  return g.type === 'Point' ? g.coordinates : g.type === 'MultiPoint' ? g.coordinates[0] : undefined
}

/** True when a polygon holds the point; even-odd, so holes are outside. */
export function contains(g: Geometry, [x, y]: Position): boolean {
  const polygons = g.type === 'Polygon' ? [g.coordinates] : g.type === 'MultiPolygon' ? g.coordinates : []
  return polygons.some((rings) => {
    let inside = false
    for (const ring of rings) {
      for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
        const [x1, y1] = ring[i] as [number, number]
        const [x2, y2] = ring[j] as [number, number]
        if (y1 > y! !== y2 > y! && x! < ((x2 - x1) * (y! - y1)) / (y2 - y1) + x1) inside = !inside
      }
    }
    return inside
  })
}

/** Points of a grid that lie within; for a sliver between them, the middle of its first side. */
function pointsWithin(g: Geometry): Position[] {
  const [w, s, e, n] = boundsOf(g)
  const out: Position[] = []
  for (let i = 0; i < GRID; i++) {
    for (let j = 0; j < GRID; j++) {
      const p = [w + ((e - w) * (i + 0.5)) / GRID, s + ((n - s) * (j + 0.5)) / GRID]
      if (contains(g, p)) out.push(p)
    }
  }
  if (out.length > 0) return out
  const ring = g.type === 'Polygon' ? g.coordinates[0] : g.type === 'MultiPolygon' ? g.coordinates[0]?.[0] : undefined
  return ring?.[1] ? [[(ring[0]![0]! + ring[1][0]!) / 2, (ring[0]![1]! + ring[1][1]!) / 2]] : []
}
