/** The map's part in editing: what mouse, finger and keys on it do, and what is fetched to snap to. */
import type { Feature, Position } from 'geojson'
import type { MapMouseEvent, MapTouchEvent } from 'maplibre-gl'
import { positionAt, segments, vertices, type Path, type SegmentPath } from '../editing/geometry'
import { fetchAround } from '../editing/send'
import { RADIUS, snap, snapIndex, type Pixel, type Projection, type Snap, type SnapIndex } from '../editing/snap'
import type { Bounds } from '../lib/api'
import { app, t } from '../lib/state.svelte'
import { identify } from '../map/identify'
import type { TownMap } from '../map/map'
import { treatmentOf } from '../style/treatment'
import type { Session } from './session.svelte'
import { cancelStep, drawEvent, finishCut, insertAfterSelected, insertCorner, middle, moveCorner, moveSelected, moveWhole, previewMove, previewWhole, removeSelected, select, selectNext, toggleMerge } from './tools'

/** Features of a layer that are fetched to snap to. */
const MOST = 1000
/** Layers beside the edited one, those drawn last first. */
const LAYERS = 4
/** Zoom from which there is something to snap to: below it a finger covers a street. */
const SNAP_ZOOM = 15
/** Pixels that an arrow key moves a corner; with Shift ten times as far. */
const NUDGE = 1
const REST_MS = 250

type Grip = { kind: 'corner'; path: Path } | { kind: 'middle'; path: SegmentPath; at: Position }
type Pointing = MapMouseEvent | MapTouchEvent

export class Pointer {
  private readonly end = new AbortController()
  private dragging: { path: Path; moved: boolean; radius: number } | undefined
  /** Where the feature that moves as one was taken hold of. */
  private held: { from: Position; to: Position } | undefined
  private context = new Map<string, Feature>()
  private loaded: { bounds: Bounds; key: string } | undefined
  private index: { of: unknown[]; index: SnapIndex } | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly map: TownMap,
    private readonly s: Session,
  ) {
    const { engine } = map
    const { signal } = this.end
    const on = <K extends 'mousedown' | 'mousemove' | 'mouseup' | 'click' | 'touchstart' | 'touchmove' | 'touchend' | 'touchcancel' | 'move' | 'moveend' | 'mouseout'>(type: K, act: (e: never) => void) => {
      engine.on(type, act as never)
      signal.addEventListener('abort', () => engine.off(type, act as never))
    }
    on('mousedown', (e: MapMouseEvent) => this.grab(e, RADIUS.mouse))
    on('touchstart', (e: MapTouchEvent) => e.points.length === 1 ? this.grab(e, RADIUS.touch) : this.drop())
    on('mousemove', (e: MapMouseEvent) => this.move(e, RADIUS.mouse))
    on('touchmove', (e: MapTouchEvent) => (this.dragging || this.held) && this.move(e, RADIUS.touch))
    on('mouseup', () => this.drop())
    on('touchend', () => this.drop())
    on('touchcancel', () => this.cancel())
    on('click', (e: MapMouseEvent) => this.click(e))
    on('mouseout', () => (this.s.pointer = this.aims ? this.s.pointer : undefined))
    on('move', () => this.aim())
    on('moveend', () => this.lookSoon())
    engine.getCanvas().addEventListener('keydown', (e) => this.key(e), { signal })
    // A double click is the last point of a drawing, not a zoom.
    engine.doubleClickZoom.disable()
    signal.addEventListener('abort', () => engine.doubleClickZoom.enable())
    this.lookSoon()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.end.abort()
    this.map.engine.getCanvas().style.cursor = ''
  }

  /** The crosshair is the pointer: on phones, and for the keyboard. */
  private get aims(): boolean {
    return this.s.crosshair
  }

  private get projection(): Projection {
    const { engine } = this.map
    return {
      project: (p) => {
        const { x, y } = engine.project([p[0]!, p[1]!])
        return [x, y]
      },
      unproject: ([x, y]) => engine.unproject([x, y]).toArray(),
    }
  }

  /** What the pixel means, near other features or not. */
  private snapAt(pixel: Pixel, radius: number, moving?: Path): Snap {
    const { s } = this
    const { drawing } = s.history.present
    const node = moving && s.history.present.set.get(s.key) ? positionAt(s.history.present.set.get(s.key)!.geometry as never, moving) : undefined
    return snap(this.snaps(), this.projection, pixel, {
      radius,
      ...(node && { moving: s.together ? { node } : { node, only: s.key } }),
      ...(drawing && drawing.status === 'drawing' && { drawn: drawing.positions }),
    })
  }

  /** What can be snapped to in this view; made anew when the view or a feature has changed. */
  private snaps(): SnapIndex {
    const { engine } = this.map
    const { set, drawing } = this.s.history.present
    const of = [set, drawing, this.context, engine.getZoom(), engine.getCenter().toString()]
    if (this.index && of.every((x, i) => x === this.index!.of[i])) return this.index.index
    const drawn: [string, Feature][] = drawing && drawing.positions.length > 0 ? [['drawing', { type: 'Feature', properties: {}, geometry: { type: 'MultiPoint', coordinates: [...drawing.positions] } }]] : []
    const canvas = engine.getCanvas()
    const others = [...this.context].filter(([key]) => !set.has(key))
    const index = snapIndex([...drawn, ...set, ...others], this.projection, [canvas.clientWidth, canvas.clientHeight])
    this.index = { of, index }
    return index
  }

  // ---- dragging corners ----

  private grip(pixel: Pixel, radius: number): Grip | undefined {
    const { s } = this
    if (s.tool !== 'shape' || s.conflict || s.whole || !s.editable) return undefined
    const { project } = this.projection
    const nearest = <T extends { position: Position }>(all: Iterable<T>, within: number) => {
      let best: { item: T; distance: number } | undefined
      for (const item of all) {
        const [x, y] = project(item.position)
        const distance = Math.hypot(x - pixel[0], y - pixel[1])
        if (distance <= within && (!best || distance < best.distance)) best = { item, distance }
      }
      return best?.item
    }
    const corner = nearest(vertices(s.editable), radius)
    if (corner) return { kind: 'corner', path: corner.path }
    const middles = [...segments(s.editable)].map(({ path, from, to }) => ({ path, position: middle(from, to) }))
    const side = nearest(middles, Math.min(radius, RADIUS.mouse + 4))
    return side && { kind: 'middle', path: side.path, at: side.position }
  }

  private grab(e: Pointing, radius: number): void {
    if (this.s.saving) return
    if (this.s.whole) {
      e.preventDefault()
      this.held = { from: e.lngLat.toArray(), to: e.lngLat.toArray() }
      return
    }
    const grip = this.grip([e.point.x, e.point.y], radius)
    if (!grip) return
    // The map does not move along.
    e.preventDefault()
    if (grip.kind === 'corner') {
      select(this.s, grip.path)
      this.dragging = { path: grip.path, moved: false, radius }
    } else {
      insertCorner(this.s, grip.path, grip.at)
      if (this.s.selected) this.dragging = { path: this.s.selected, moved: false, radius }
    }
  }

  private move(e: Pointing, radius: number): void {
    const pixel: Pixel = [e.point.x, e.point.y]
    const { s, dragging } = this
    // The button was let go outside of the window.
    if ((dragging || this.held) && e.originalEvent instanceof MouseEvent && e.originalEvent.buttons === 0) return this.drop()
    if (this.held) {
      this.held.to = e.lngLat.toArray()
      return previewWhole(s, this.heldBy())
    }
    if (dragging) {
      dragging.moved = true
      s.pointer = this.snapAt(pixel, dragging.radius, dragging.path)
      return previewMove(s, dragging.path, s.pointer.position)
    }
    if (s.tool === 'draw' || s.tool === 'split') {
      // A mouse that moves takes over from the keyboard; a finger's crosshair stays.
      if (!app.touch) s.crosshair = false
      if (!this.aims) s.pointer = this.snapAt(pixel, radius)
      this.cursor('crosshair')
    } else this.cursor(s.whole || this.grip(pixel, radius) ? 'move' : '')
  }

  private cursor(to: string): void {
    const { style } = this.map.engine.getCanvas()
    if (style.cursor !== to) style.cursor = to
  }

  private heldBy(): readonly [number, number] {
    const { from, to } = this.held!
    return [to[0]! - from[0]!, to[1]! - from[1]!]
  }

  private drop(): void {
    const { s, dragging } = this
    if (this.held) {
      moveWhole(s, this.heldBy())
      this.held = undefined
      return
    }
    this.dragging = undefined
    if (!dragging) return
    const to = s.pointer?.position
    if (!this.aims || s.tool === 'shape') s.pointer = undefined
    if (dragging.moved && to) moveCorner(s, dragging.path, to)
    this.aim()
  }

  private cancel(): void {
    this.dragging = undefined
    this.held = undefined
    this.s.preview = undefined
    this.s.pointer = undefined
  }

  // ---- clicks ----

  private click(e: MapMouseEvent): void {
    const { s } = this
    if (s.conflict || s.saving || !s.ready) return
    const touched = app.touch
    if (s.tool === 'draw' || s.tool === 'split') {
      // Where the middle of the map points, a tap only moves the map.
      if (this.aims && touched) return
      return this.add(this.snapAt([e.point.x, e.point.y], touched ? RADIUS.touch : RADIUS.mouse).position)
    }
    if (s.tool === 'merge') {
      const hit = identify(this.map, e.point, app).find((ref) => ref.collection === s.collection.id)
      if (hit && s.history.present.set.has(`${hit.collection}/${hit.id}`)) toggleMerge(s, hit.id)
      return
    }
    const grip = this.grip([e.point.x, e.point.y], touched ? RADIUS.touch : RADIUS.mouse)
    if (!grip) s.selected = undefined
  }

  private add(position: Position): void {
    const { s } = this
    const { drawing } = s.history.present
    const last = drawing?.positions.at(-1)
    if (s.tool === 'split' && last && last[0] === position[0] && last[1] === position[1]) return finishCut(s)
    drawEvent(s, { type: 'add', position })
  }

  // ---- the crosshair ----

  /** Where the crosshair points. */
  here(): Snap {
    const { x, y } = this.map.crosshair()
    return this.snapAt([x, y], app.touch ? RADIUS.touch : RADIUS.mouse, this.s.tool === 'shape' ? this.s.selected : undefined)
  }

  addHere(): void {
    this.add(this.here().position)
    this.aim()
  }

  putHere(): void {
    moveSelected(this.s, this.here().position)
  }

  /** The pointer follows the map under the crosshair. */
  aim(): void {
    const { s } = this
    if (!this.aims || this.dragging) return
    s.pointer = s.tool === 'draw' || s.tool === 'split' || s.selected ? this.here() : undefined
  }

  // ---- keys on the map ----

  private key(e: KeyboardEvent): void {
    const { s } = this
    if (e.ctrlKey || e.metaKey || e.altKey || s.conflict || s.saving) return
    const drawing = s.tool === 'draw' || s.tool === 'split'
    const step = ARROWS[e.key]
    if (step && s.whole && s.editable) {
      const { project, unproject } = this.projection
      const at = vertices(s.editable).next().value!.position
      const [x, y] = project(at)
      const by = NUDGE * (e.shiftKey ? 10 : 1)
      const to = unproject([x + step[0] * by, y + step[1] * by])
      moveWhole(s, [to[0]! - at[0]!, to[1]! - at[1]!])
    } else if (step && s.tool === 'shape' && s.selected) {
      const by = NUDGE * (e.shiftKey ? 10 : 1)
      const at = s.editable && positionAt(s.editable, s.selected)
      if (at) {
        const [x, y] = this.projection.project(at)
        moveSelected(s, this.projection.unproject([x + step[0] * by, y + step[1] * by]))
      }
    } else if (step) {
      if (drawing && !s.crosshair) {
        s.crosshair = true
        this.aim()
      }
      // The map pans by itself.
      return
    } else if (e.key === ' ' && drawing) this.addHere()
    else if (e.key === 'Enter' && drawing) this.enter()
    else if (e.key === 'Backspace' && drawing) drawEvent(s, { type: 'remove-last' })
    else if ((e.key === 'Delete' || e.key === 'Backspace') && s.tool === 'shape' && s.selected) removeSelected(s)
    else if (e.key === 'Insert' && s.tool === 'shape') insertAfterSelected(s)
    else if ((e.key === '[' || e.code === 'BracketLeft') && s.tool === 'shape') selectNext(s, -1)
    else if ((e.key === ']' || e.code === 'BracketRight') && s.tool === 'shape') selectNext(s, 1)
    else return
    e.preventDefault()
    e.stopPropagation()
  }

  /** Finishes; a point is set where the crosshair is. */
  private enter(): void {
    const { s } = this
    const { drawing } = s.history.present
    if (drawing?.shape === 'point') this.addHere()
    else if (s.tool === 'split') finishCut(s)
    else drawEvent(s, { type: 'finish' })
  }

  /** Esc; false when there was nothing to leave. */
  escape(): boolean {
    if (this.dragging || this.held) {
      this.cancel()
      return true
    }
    return cancelStep(this.s)
  }

  // ---- what is snapped to ----

  private lookSoon(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.look(), REST_MS)
  }

  private async look(): Promise<void> {
    const { engine } = this.map
    if (engine.getZoom() < SNAP_ZOOM) return void (this.s.around = 'far')
    const b = engine.getBounds()
    const [w, s, e, n] = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()]
    const [dx, dy] = [(e - w) / 4, (n - s) / 4]
    const others = app.catalogue.filter((c) => c.id !== this.s.collection.id && app.visible.has(c.id) && app.drawn.has(c.id) && treatmentOf(c).hit !== 'none').slice(0, LAYERS)
    const ids = [this.s.collection.id, ...others.map((c) => c.id)]
    const key = ids.join()
    const known = this.loaded
    if (known && known.key === key && w >= known.bounds[0] && s >= known.bounds[1] && e <= known.bounds[2] && n <= known.bounds[3]) return void (this.s.around = 'ready')
    this.s.around = 'loading'
    const bounds: Bounds = [w - dx, s - dy, e + dx, n + dy]
    this.loaded = { bounds, key }
    const found = await Promise.all(ids.map(async (id) => ({ id, features: (await fetchAround(id, bounds, MOST, app.lang).catch(() => ({ features: [] }))).features })))
    if (this.end.signal.aborted || this.loaded?.bounds !== bounds) return
    this.s.around = 'ready'
    this.context = new Map(found.flatMap(({ id, features }) => features.map((f): [string, Feature] => [`${id}/${String(f.id)}`, f])))
  }

  /** After a save the ground is another. */
  forgetAround(): void {
    this.loaded = undefined
    this.lookSoon()
  }
}

const ARROWS: Record<string, readonly [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

export function hints(s: Session): string {
  if (s.tool === 'draw') {
    const shape = s.history.present.drawing?.shape
    return app.touch ? t('edit.hint.drawTouch') : shape === 'point' ? t('edit.hint.point') : t('edit.hint.draw')
  }
  if (s.tool === 'split') return app.touch ? t('edit.hint.splitTouch') : t('edit.hint.split')
  if (s.tool === 'merge') return t('edit.hint.merge')
  if (s.whole) return t('edit.hint.whole')
  if (s.geometry?.type.endsWith('Point')) return t('edit.hint.shapePoint')
  return app.touch ? t('edit.hint.shapeTouch') : t('edit.hint.shape')
}
