/** The map itself: made once, driven by the state, never inside it. */
import type { Feature, FeatureCollection, Geometry } from 'geojson'
import { Map as MapLibre, Marker, setWorkerUrl, type GeoJSONSource, type MapMouseEvent, type PaddingOptions, type StyleSpecification, type VectorTileSource } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'
import type { Bounds } from '../lib/api'
import type { View } from '../lib/permalink'
import { makePattern } from '../style/pattern'
import { NAMES } from '../style/layers'
import { DIFFERENCE } from '../style/difference'
import { buildStyle, MEASURE, nothing, SELECTION, type Drawn, type Over, type StyleInput } from '../style/style'
import { Refresher } from './refresh'

setWorkerUrl(workerUrl)

/** One building fills the screen; beyond it tiles hold nothing more. */
const MAX_ZOOM = 22
/** Zoom given to a point or another thing without size. */
const POINT_ZOOM = 18.5
const MOVE_MS = 500

export interface MapEvents {
  moved(view: View): void
  rested(): void
  clicked(point: { x: number; y: number }, lngLat: [number, number]): void
  pointed(lngLat: [number, number] | undefined, point: { x: number; y: number } | undefined): void
}

export class TownMap {
  readonly engine: MapLibre
  private readonly drawn: Drawn = { selection: nothing, measure: nothing, names: nothing }
  private style: Omit<StyleInput, 'drawn' | 'origin'> | undefined
  /** Only a loaded style can be changed piece by piece; until then the next one takes its place whole. */
  private loaded = false
  private here: Marker | undefined
  private readonly refresher: Refresher
  private over: Over | undefined

  constructor(container: HTMLElement, label: string, events: MapEvents) {
    this.engine = new MapLibre({
      container,
      style: { version: 8, sources: {}, layers: [] },
      attributionControl: false,
      maxZoom: MAX_ZOOM,
      minZoom: 2,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      fadeDuration: 120,
      renderWorldCopies: true,
      // One tap more than the first must not wait for a third.
      clickTolerance: 5,
      locale: { 'Map.Title': label },
      center: [24.71, 48.92],
      zoom: 9,
    })
    const map = this.engine
    this.refresher = new Refresher(map)
    map.touchZoomRotate.disableRotation()
    map.keyboard.disableRotation()
    map.setMissingStyleImageResolver((id) => {
      const image = makePattern(id)
      if (image && !map.hasImage(id)) map.addImage(id, image, { pixelRatio: 2 })
    })
    map.on('style.load', () => {
      this.loaded = true
    })
    map.on('moveend', () => events.moved(this.view()))
    map.on('idle', () => events.rested())
    map.on('click', (e) => events.clicked(e.point, e.lngLat.toArray()))
    // A finger points at nothing: the mouse events that follow a tap are the browser's own.
    let touch = false
    for (const type of ['pointerdown', 'pointermove'] as const) {
      map.getCanvasContainer().addEventListener(type, (e) => (touch = e.pointerType === 'touch'), { capture: true, passive: true })
    }
    map.on('mousemove', (e: MapMouseEvent) => touch || events.pointed(e.lngLat.toArray(), e.point))
    map.on('mouseout', () => events.pointed(undefined, undefined))
    // A tile that fails is drawn when it comes; the message is for whoever looks into the console.
    map.on('error', (e) => console.warn(e.error?.message ?? e))
  }

  setStyle(input: Omit<StyleInput, 'drawn' | 'origin'>): void {
    this.style = input
    const diff = this.loaded
    const style = buildStyle({ ...input, drawn: this.drawn, over: this.over, origin: location.origin })
    if (diff) this.keepSources(style)
    this.engine.setStyle(style, { diff })
  }

  /** Other tiles or a smaller extent are no other source: what is drawn stays until the new tiles are there. */
  private keepSources(style: StyleSpecification): void {
    for (const [id, wanted] of Object.entries(style.sources)) {
      const source = this.engine.getSource<VectorTileSource>(id)
      if (wanted.type !== 'vector' || source?.type !== 'vector') continue
      const known = source.serialize() as { bounds?: Bounds }
      if (wanted.bounds && known.bounds && within(wanted.bounds, known.bounds)) wanted.bounds = known.bounds
      if (String(wanted.bounds) === String(known.bounds) && String(wanted.tiles) !== String(source.tiles)) source.setTiles(wanted.tiles!)
    }
  }

  /** Something changed within the boxes, or anywhere in the collection. */
  touch(collection: string, part: readonly Bounds[] | 'all'): void {
    this.refresher.touch(collection, part)
  }

  label(text: string): void {
    this.engine.getCanvas().setAttribute('aria-label', text)
  }

  view(): View {
    return { center: this.engine.getCenter().wrap().toArray(), zoom: this.engine.getZoom() }
  }

  jump(view: View): void {
    this.engine.jumpTo({ center: view.center, zoom: view.zoom })
  }

  /** Whole extent within what the panels leave free. */
  fit(bounds: Bounds, how: 'jump' | 'ease', maxZoom = POINT_ZOOM): void {
    const f = this.free()
    // Air around it, less where a sheet leaves little.
    const air = Math.max(4, Math.min(24, (f.bottom - f.top) / 8))
    this.engine.fitBounds([bounds[0], bounds[1], bounds[2], bounds[3]], {
      // The column of buttons stands on the right.
      padding: { top: air, bottom: air * 1.3, left: air, right: 60 },
      maxZoom,
      ...(how === 'jump' ? { animate: false } : { duration: MOVE_MS, linear: true }),
    })
  }

  /** Moves the map as little as brings `bounds` out from under the panels; what is larger than the free part stays. */
  reveal(bounds: Bounds): void {
    const f = this.free()
    const margin = 20
    const a = this.engine.project([bounds[0], bounds[3]])
    const b = this.engine.project([bounds[2], bounds[1]])
    const shift = (from: number, to: number, low: number, high: number) =>
      to - from > high - low ? 0 : from < low ? from - low : to > high ? to - high : 0
    const x = shift(a.x, b.x, f.left + margin, f.right - margin)
    // The scale bar and the sources lie over the foot of the free part.
    const y = shift(a.y, b.y, f.top + margin, f.bottom - margin - 20)
    if (x !== 0 || y !== 0) this.engine.panBy([x, y], { duration: MOVE_MS })
  }

  go(center: [number, number], zoom?: number): void {
    this.engine.easeTo({ center, ...(zoom === undefined ? {} : { zoom }), duration: MOVE_MS })
  }

  /** The reader's own place: a dot that stays where it is told. */
  mark(at: [number, number]): void {
    if (!this.here) {
      const element = document.createElement('div')
      element.className = 'here'
      this.here = new Marker({ element })
    }
    this.here.setLngLat(at).addTo(this.engine)
    this.here.getElement().removeAttribute('tabindex')
    this.here.getElement().setAttribute('aria-hidden', 'true')
  }

  zoomBy(step: number): void {
    this.engine.easeTo({ zoom: Math.round((this.engine.getZoom() + step) * 2) / 2, duration: 250 })
  }

  /** Tells which edges the panels cover; what is drawn stays where it is. */
  cover(padding: PaddingOptions): void {
    const before = this.engine.getPadding()
    if ((['top', 'left', 'bottom', 'right'] as const).every((k) => before[k] === padding[k])) return
    const canvas = this.engine.getCanvas()
    const center = this.engine.unproject([
      (padding.left! + canvas.clientWidth - padding.right!) / 2,
      (padding.top! + canvas.clientHeight - padding.bottom!) / 2,
    ])
    this.engine.jumpTo({ center, padding })
  }

  /** The part of the canvas that no panel covers, in its pixels. */
  free(): { left: number; top: number; right: number; bottom: number } {
    const canvas = this.engine.getCanvas()
    const { left = 0, top = 0, right = 0, bottom = 0 } = this.engine.getPadding()
    return { left, top, right: canvas.clientWidth - right, bottom: canvas.clientHeight - bottom }
  }

  /** The crosshair: the middle of the free part. */
  crosshair(): { x: number; y: number } {
    const f = this.free()
    return { x: (f.left + f.right) / 2, y: (f.top + f.bottom) / 2 }
  }

  draw(what: keyof Drawn, data: FeatureCollection): void {
    this.drawn[what] = data
    const id = { selection: SELECTION, difference: DIFFERENCE, measure: MEASURE, names: NAMES }[what]
    const source = this.engine.getSource(id) as GeoJSONSource | undefined
    if (source) void source.setData(data)
    else if (this.style) this.setStyle(this.style)
  }

  /** Draws over everything else; without an argument no more. */
  overlay(over?: Over): void {
    const had = this.over
    this.over = over
    const source = over && had?.source === over.source ? (this.engine.getSource(over.source) as GeoJSONSource | undefined) : undefined
    if (source) void source.setData(over!.data)
    else if (this.style) this.setStyle(this.style)
  }

  query(layers: string[], box: [[number, number], [number, number]]): { collection: string; layer: string; feature: Feature<Geometry> & { id?: string | number } }[] {
    const present = layers.filter((id) => this.engine.getLayer(id))
    if (present.length === 0) return []
    return this.engine.queryRenderedFeatures(box, { layers: present }).map((f) => ({ collection: f.source, layer: f.layer.id, feature: f as never }))
  }
}

function within(a: Bounds, b: Bounds): boolean {
  return a[0] >= b[0] && a[1] >= b[1] && a[2] <= b[2] && a[3] <= b[3]
}
