/** Tiles asked for again where something changed. What is drawn stays until the new tile is there, so nothing flickers. */
import type { Map as MapLibre } from 'maplibre-gl'
import type { Bounds } from '../lib/api'
import { shows, tilesOf, type TileId } from './tiles'

/** Tiles of these zooms below and above the map's may stand in for one that is not there yet. */
const BELOW = 3
const ABOVE = 2

type Part = readonly Bounds[] | 'all'
/** Tiles out of view are kept by the engine, which has no public word for forgetting them. */
interface Kept {
  _outOfViewCache?: { filter?: (keep: (tile: { tileID: { canonical: TileId } }) => boolean) => void }
}

/** The engine fires no event for a tile that came back unchanged, so whether a source has all its tiles is looked at. */
const LOOK_MS = 50

export class Refresher {
  /** Asked for while tiles were on their way: those may have been cut before the change. */
  private readonly late = new Map<string, Bounds[] | 'all'>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly map: MapLibre) {}

  touch(source: string, part: Part): void {
    if (!this.map.getSource(source)) return void this.late.delete(source)
    if (!this.map.isSourceLoaded(source)) {
      const known = this.late.get(source)
      this.late.set(source, part === 'all' || known === 'all' ? 'all' : [...(known ?? []), ...part])
      this.timer ??= setTimeout(() => this.look(), LOOK_MS)
    }
    this.ask(source, part)
  }

  private look(): void {
    this.timer = undefined
    for (const [source, part] of this.late) {
      const isThere = this.map.getSource(source) !== undefined
      if (isThere && !this.map.isSourceLoaded(source)) continue
      this.late.delete(source)
      if (isThere) this.ask(source, part)
    }
    if (this.late.size > 0) this.timer = setTimeout(() => this.look(), LOOK_MS)
  }

  private ask(source: string, part: Part): void {
    const tiles = part === 'all' ? undefined : this.inView(source, part)
    // Without tiles this asks for all that are loaded, and forgets those out of view.
    if (!tiles || part === 'all' || !this.forget(source, part)) this.map.refreshTiles(source)
    else if (tiles.length > 0) this.map.refreshTiles(source, tiles)
  }

  private inView(source: string, boxes: readonly Bounds[]): TileId[] | undefined {
    const { minzoom = 0, maxzoom = 22 } = this.map.getSource(source) as unknown as { minzoom?: number; maxzoom?: number }
    const zoom = Math.min(maxzoom, Math.floor(this.map.getZoom()))
    const b = this.map.getBounds()
    const [dx, dy] = [(b.getEast() - b.getWest()) / 2, (b.getNorth() - b.getSouth()) / 2]
    const view: Bounds = [b.getWest() - dx, b.getSouth() - dy, b.getEast() + dx, b.getNorth() + dy]
    const all: TileId[] = []
    for (let z = Math.max(minzoom, zoom - BELOW); z <= Math.min(maxzoom, zoom + ABOVE); z++) {
      const tiles = tilesOf(boxes, z, view)
      if (!tiles) return undefined
      all.push(...tiles)
    }
    return all
  }

  /** Tiles out of view that show the boxes; false where the engine's insides are not as they were. */
  private forget(source: string, boxes: readonly Bounds[]): boolean {
    const managers = (this.map.style as unknown as { tileManagers?: Record<string, Kept> } | undefined)?.tileManagers
    const kept = managers?.[source]?._outOfViewCache
    if (!kept?.filter) return false
    kept.filter((tile) => !shows(tile.tileID.canonical, boxes))
    return true
  }
}
