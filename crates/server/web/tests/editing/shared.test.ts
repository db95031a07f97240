import type { Feature, Polygon, Position } from 'geojson'
import { describe, expect, test } from 'vitest'
import { placeKey, positionAt, removeHole, segments, vertices, type Editable } from '../../src/editing/geometry'
import { begin, record, redo, undo } from '../../src/editing/history'
import { isRefused, type Outcome } from '../../src/editing/outcome'
import { dropFeatures, editAlone, edgePlaces, insertNode, moveNode, moveNodeOnto, nodePlaces, putFeatures, removeNode, whyNotRemove, type Change, type WorkingSet } from '../../src/editing/shared'
import { box, CELL, done, feature, grid, polygon, random, reason } from './cases'

const path = (vertex: number, ring = 0, part = 0) => ({ part, ring, vertex })
/** West and east share the edge from [10, 0] to [10, 10]; the point and the line stand at [10, 10]. */
const town: WorkingSet = new Map([
  ['west', feature(polygon(box(0, 0, 10, 10)))],
  ['east', feature(polygon(box(10, 0, 20, 10)))],
  ['post', feature({ type: 'Point', coordinates: [10, 10] })],
  ['pipe', feature({ type: 'LineString', coordinates: [[10, 20], [10, 10]] })],
  ['far', feature(polygon(box(50, 0, 60, 10)))],
])
const ring = (set: WorkingSet, key: string): Position[] => (set.get(key)!.geometry as Polygon).coordinates[0]!

describe('moving', () => {
  test('a node moves in all features that have it', () => {
    const { set, changed } = done(moveNode(town, 'west', path(2), [11, 11]))
    expect(changed).toEqual(['west', 'east', 'post', 'pipe'])
    expect(ring(set, 'west')).toEqual([[0, 0], [10, 0], [11, 11], [0, 10], [0, 0]])
    expect(ring(set, 'east')).toEqual([[10, 0], [20, 0], [20, 10], [11, 11], [10, 0]])
    expect(set.get('post')!.geometry).toEqual({ type: 'Point', coordinates: [11, 11] })
    expect(set.get('pipe')!.geometry).toEqual({ type: 'LineString', coordinates: [[10, 20], [11, 11]] })
    expect(set.get('far')).toBe(town.get('far'))
  })
  test('alone, only in the feature that is edited', () => {
    const { set, changed } = done(moveNode(town, 'west', path(2), [11, 11], 'alone'))
    expect(changed).toEqual(['west'])
    expect(ring(set, 'east')).toBe(ring(town, 'east'))
  })
  test('nearly the same place is another node', () => {
    const near = new Map(town).set('near', feature({ type: 'Point', coordinates: [10, 10.000000000000002] }))
    expect(done(moveNode(near, 'west', path(2), [11, 11])).changed).not.toContain('near')
  })
  test('to where it is, nothing changes; upon the vertex beside it, refused for all', () => {
    expect(done(moveNode(town, 'west', path(2), [10, 10]))).toEqual({ set: town, changed: [] })
    // [20, 10] is beside the node in the east only.
    expect(moveNode(town, 'west', path(2), [20, 10])).toEqual({ refused: 'editing.same-place', at: [20, 10] })
    expect(reason(moveNode(town, 'west', path(9), [1, 1]))).toBe('editing.not-there')
    expect(reason(moveNode(town, 'nobody', path(0), [1, 1]))).toBe('editing.not-there')
  })
  test('a vertex that stands twice in a ring moves whole', () => {
    const twice: WorkingSet = new Map([['a', feature(polygon([[0, 0], [1, 0], [1, 0], [1, 1]]))]])
    expect(ring(done(moveNode(twice, 'a', path(1), [2, 0])).set, 'a')).toEqual([[0, 0], [2, 0], [2, 0], [1, 1], [0, 0]])
  })
})

describe('inserting and removing', () => {
  test('a vertex in a shared edge comes into both sides, whichever way they go', () => {
    const { set, changed } = done(insertNode(town, 'west', path(1), [10, 5]))
    expect(changed).toEqual(['west', 'east'])
    expect(ring(set, 'west')).toEqual([[0, 0], [10, 0], [10, 5], [10, 10], [0, 10], [0, 0]])
    expect(ring(set, 'east')).toEqual([[10, 0], [20, 0], [20, 10], [10, 10], [10, 5], [10, 0]])
    expect(edgePlaces(set, [10, 0], [10, 5])).toHaveLength(2)
    expect(done(insertNode(town, 'west', path(1), [10, 5], 'alone')).changed).toEqual(['west'])
    expect(reason(insertNode(town, 'west', path(1), [10, 10]))).toBe('editing.same-place')
    expect(reason(insertNode(town, 'west', path(4), [1, 1]))).toBe('editing.not-there')
  })
  test('an edge that one line goes along twice gets the vertex twice', () => {
    const spur: WorkingSet = new Map([['l', feature({ type: 'LineString', coordinates: [[0, 0], [1, 0], [0, 0]] })]])
    const { set } = done(insertNode(spur, 'l', path(0), [0.5, 0]))
    expect(set.get('l')!.geometry).toEqual({ type: 'LineString', coordinates: [[0, 0], [0.5, 0], [1, 0], [0.5, 0], [0, 0]] })
  })
  test('a node that is moved upon a segment becomes a vertex of it, on both of its sides', () => {
    // A parcel that stands apart comes to the border of the other two.
    const near = new Map([['own', feature(polygon([[8, 3], [9, 5], [8, 7]]))], ...town])
    const { set, changed } = done(moveNodeOnto(near, 'own', path(1), { feature: 'east', path: path(3) }, [10, 5]))
    expect(changed.sort()).toEqual(['east', 'own', 'west'])
    expect(nodePlaces(set, [10, 5]).map((place) => place.feature)).toEqual(['own', 'west', 'east'])
    expect(reason(moveNodeOnto(near, 'own', path(1), { feature: 'east', path: path(3) }, [10, 0]))).toBe('editing.same-place')
    expect(reason(moveNodeOnto(near, 'own', path(5), { feature: 'east', path: path(3) }, [10, 5]))).toBe('editing.not-there')
    // Upon a segment of its own ring, before the node.
    const own = done(moveNodeOnto(near, 'west', path(3), { feature: 'west', path: path(0) }, [5, 0]))
    expect(ring(own.set, 'west')).toEqual([[0, 0], [5, 0], [10, 0], [10, 10], [5, 0], [0, 0]])
  })
  test('and goes out of both sides', () => {
    const { set } = done(insertNode(town, 'west', path(1), [10, 5]))
    const { set: back, changed } = done(removeNode(set, 'east', path(4)))
    expect(changed).toEqual(['west', 'east'])
    expect(back).toEqual(town)
    expect(done(removeNode(set, 'east', path(4), 'alone')).changed).toEqual(['east'])
  })
  test('where more than two borders meet it stays', () => {
    expect(removeNode(town, 'west', path(1))).toEqual({ refused: 'editing.node-is-joint', at: [10, 0] })
    expect(whyNotRemove(town, 'west', path(1))).toBe('editing.node-is-joint')
    expect(whyNotRemove(town, 'west', path(1), 'alone')).toBeUndefined()
    expect(whyNotRemove(town, 'west', path(0))).toBeUndefined()
  })
  test('what one side refuses is not done on the other', () => {
    const thin: WorkingSet = new Map([['a', feature(polygon([[0, 0], [2, 0], [1, 1]]))], ['b', feature(polygon([[0, 0], [1, 1], [2, 0], [3, 3], [-1, 3]]))]])
    expect(removeNode(thin, 'b', path(1))).toEqual({ refused: 'editing.too-few-points', at: [1, 1] })
  })
})

test('features come, go, and change by themselves', () => {
  const more = putFeatures(town, [['new', feature(polygon(box(0, 20, 1, 21), box(0.2, 20.2, 0.4, 20.4)))], ['far', town.get('far')!]])
  expect(more.changed).toEqual(['new'])
  const whole = done(editAlone(more.set, 'new', (g) => removeHole(g, 0, 1)))
  expect((whole.set.get('new')!.geometry as Polygon).coordinates).toHaveLength(1)
  expect(reason(editAlone(more.set, 'new', (g) => removeHole(g, 0, 0)))).toBe('editing.not-a-hole')
  expect(dropFeatures(more.set, ['new', 'nobody'])).toEqual({ set: town, changed: ['new'] })
})

/** Pairs of features that share an edge, and the edges that only one feature has, as a count for each node. */
function borders(set: WorkingSet): { pairs: string[]; outer: Map<string, number> } {
  const owners = new Map<string, string[]>()
  for (const [key, { geometry }] of set) {
    for (const { from, to } of segments(geometry as Editable)) {
      const edge = [placeKey(from), placeKey(to)].sort().join('|')
      owners.set(edge, [...(owners.get(edge) ?? []), key])
    }
  }
  const outer = new Map<string, number>()
  const pairs = new Set<string>()
  for (const [edge, keys] of owners) {
    if (keys.length === 2) pairs.add(keys.join('|'))
    else for (const node of edge.split('|')) outer.set(node, (outer.get(node) ?? 0) + keys.length)
  }
  return { pairs: [...pairs].sort(), outer }
}

test('1,000 random steps over 100 parcels keep every border equal on both sides, and undo gives the beginning', () => {
  const next = random(20_240)
  const beginning = grid(10, next)
  const copy = structuredClone(beginning)
  const pairs = borders(beginning).pairs
  expect(pairs).toHaveLength(180)
  let log = begin(beginning)
  const counts: Record<string, number> = { move: 0, insert: 0, remove: 0, refused: 0 }
  const any = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!
  for (let i = 0; i < 1000; i++) {
    const set = log.present
    const [key, { geometry }] = any([...set]) as [string, Feature & { geometry: Polygon }]
    const { path: at, position } = any([...vertices(geometry)])
    const what = any(['move', 'insert', 'remove'])
    const jitter = (p: Position): Position => [p[0]! + (next() - 0.5) * CELL * 0.01, p[1]! + (next() - 0.5) * CELL * 0.01]
    let outcome: Outcome<Change>
    if (what === 'move') outcome = moveNode(set, key, at, jitter(position))
    else if (what === 'remove') outcome = removeNode(set, key, at)
    else {
      const s = [...segments(geometry)].find((x) => x.path.vertex === at.vertex)!
      outcome = insertNode(set, key, s.path, jitter([(s.from[0]! + s.to[0]!) / 2, (s.from[1]! + s.to[1]!) / 2]))
    }
    if (isRefused(outcome)) {
      counts.refused!++
      expect(['editing.node-is-joint', 'editing.too-few-points']).toContain(outcome.refused)
      continue
    }
    counts[what]!++
    for (const [id, f] of outcome.set) expect(f === set.get(id)).toBe(!outcome.changed.includes(id))
    log = record(log, outcome.set, `did.${what}`, 1000)
    if (what === 'move') expect(positionAt(outcome.set.get(key)!.geometry as Editable, at)).not.toEqual(position)
    const now = borders(outcome.set)
    expect(now.pairs).toEqual(pairs)
    // The outer border is one line round the grid: a gap or an overlap would add lines of its own.
    expect([...now.outer.values()].every((n) => n === 2)).toBe(true)
    for (const node of now.outer.keys()) expect(nodePlaces(outcome.set, node.split(' ').map(Number)).length).toBeLessThanOrEqual(2)
  }
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(50)
  const end = log.present
  const steps = log.past.length
  for (let i = 0; i < steps; i++) log = undo(log)
  expect(log.present).toBe(beginning)
  expect(log.present).toEqual(copy)
  for (let i = 0; i < steps; i++) log = redo(log)
  expect(log.present).toBe(end)
})
