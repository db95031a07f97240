import { readCollection, type Collection } from '../src/lib/api'

/** A collection as the server describes it. */
export function collection(id: string, over: Partial<Collection> & { theme?: Collection['theme'] } = {}): Collection {
  return { ...readCollection({ id, title: id, itemCount: 10, geometryType: 'multipolygon', theme: 'other', tiles: { minzoom: 0, maxzoom: 14 } }), ...over }
}
