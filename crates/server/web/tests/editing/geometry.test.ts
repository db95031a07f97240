import type { LineString, MultiPoint, MultiPolygon, Point, Polygon } from 'geojson'
import { describe, expect, test } from 'vitest'
import { addHole, addPart, beside, extendLine, insertVertex, moveVertex, positionAt, removeHole, removePart, removeVertex, segments, translate, vertices } from '../../src/editing/geometry'
import { box, done, polygon, reason } from './cases'

const path = (part: number, ring: number, vertex: number) => ({ part, ring, vertex })
const holed = polygon(box(0, 0, 10, 10), box(4, 4, 6, 6))
const two: MultiPolygon = { type: 'MultiPolygon', coordinates: [holed.coordinates, polygon(box(20, 0, 30, 10)).coordinates] }
const line: LineString = { type: 'LineString', coordinates: [[0, 0], [1, 0], [2, 0]] }

test('a geometry moves as one, with its heights, and keeps its type', () => {
  expect(translate(two, [1, -1])).toMatchObject({ type: 'MultiPolygon', coordinates: [[expect.anything(), expect.anything()], [[[21, -1], expect.anything(), expect.anything(), expect.anything(), [21, -1]]]] })
  expect(translate({ type: 'Point', coordinates: [1, 2, 3] }, [0.5, 0])).toEqual({ type: 'Point', coordinates: [1.5, 2, 3] })
})

describe('paths', () => {
  test('every vertex once: the closing one is not counted', () => {
    expect([...vertices(two)].map(({ path: p }) => [p.part, p.ring, p.vertex].join())).toEqual(['0,0,0', '0,0,1', '0,0,2', '0,0,3', '0,1,0', '0,1,1', '0,1,2', '0,1,3', '1,0,0', '1,0,1', '1,0,2', '1,0,3'])
    expect([...vertices({ type: 'Point', coordinates: [7, 8] })]).toEqual([{ path: path(0, 0, 0), position: [7, 8] }])
    expect([...vertices({ type: 'MultiPoint', coordinates: [[1, 1], [2, 2]] })].map((v) => v.path.part)).toEqual([0, 1])
  })
  test('segments of a ring go round, those of a line do not', () => {
    expect([...segments(holed)].filter((s) => s.path.ring === 1).map((s) => [s.from, s.to])).toEqual([[[4, 4], [6, 4]], [[6, 4], [6, 6]], [[6, 6], [4, 6]], [[4, 6], [4, 4]]])
    expect([...segments(line)]).toHaveLength(2)
    expect([...segments({ type: 'MultiPoint', coordinates: [[1, 1], [2, 2]] })]).toEqual([])
  })
  test('positions and neighbours by path, nothing where there is nothing', () => {
    expect(positionAt(two, path(1, 0, 2))).toEqual([30, 10])
    expect(positionAt(two, path(1, 0, 4))).toBeUndefined()
    expect(positionAt(two, path(2, 0, 0))).toBeUndefined()
    expect(beside(holed, path(0, 1, 0))).toEqual([[4, 6], [6, 4]])
    expect(beside(line, path(0, 0, 0))).toEqual([[1, 0]])
    expect(beside({ type: 'Point', coordinates: [7, 8] }, path(0, 0, 0))).toEqual([])
  })
})

describe('vertices', () => {
  test('moving the first vertex of a ring moves the closing one, and nothing else is touched', () => {
    const moved = done(moveVertex(two, path(0, 0, 0), [-1, -1])) as MultiPolygon
    expect(moved.coordinates[0]![0]).toEqual([[-1, -1], [10, 0], [10, 10], [0, 10], [-1, -1]])
    expect(moved.coordinates[0]![1]).toBe(two.coordinates[0]![1])
    expect(moved.coordinates[1]).toBe(two.coordinates[1])
    expect(moved.coordinates[0]![0]![1]).toBe(two.coordinates[0]![0]![1])
    expect(two.coordinates[0]![0]![0]).toEqual([0, 0])
  })
  test('a point and the point of a MultiPoint move', () => {
    expect(done(moveVertex({ type: 'Point', coordinates: [1, 1] }, path(0, 0, 0), [2, 2]))).toEqual({ type: 'Point', coordinates: [2, 2] })
    expect(done(moveVertex({ type: 'MultiPoint', coordinates: [[1, 1], [2, 2]] }, path(1, 0, 0), [3, 3]))).toEqual({ type: 'MultiPoint', coordinates: [[1, 1], [3, 3]] })
  })
  test('heights stay, and a new vertex takes the height of its segment', () => {
    const high: LineString = { type: 'LineString', coordinates: [[0, 0, 100], [4, 0, 200]] }
    expect((done(moveVertex(high, path(0, 0, 1), [8, 0])) as LineString).coordinates[1]).toEqual([8, 0, 200])
    expect((done(insertVertex(high, path(0, 0, 0), [1, 0])) as LineString).coordinates[1]).toEqual([1, 0, 125])
    expect((done(insertVertex(high, path(0, 0, 0), [1, 0, 7])) as LineString).coordinates[1]).toEqual([1, 0, 7])
  })
  test('inserting into the closing segment of a ring keeps it closed', () => {
    expect((done(insertVertex(holed, path(0, 0, 3), [0, 5])) as Polygon).coordinates[0]).toEqual([[0, 0], [10, 0], [10, 10], [0, 10], [0, 5], [0, 0]])
    expect(reason(insertVertex(holed, path(0, 0, 3), [0, 0]))).toBe('editing.same-place')
    expect(reason(insertVertex(line, path(0, 0, 2), [5, 5]))).toBe('editing.not-there')
  })
  test('removing the first vertex of a ring closes it at the next', () => {
    expect((done(removeVertex(holed, path(0, 0, 0))) as Polygon).coordinates[0]).toEqual([[10, 0], [10, 10], [0, 10], [10, 0]])
  })
  test('a ring keeps three vertices, a line two, a geometry one point', () => {
    expect(reason(removeVertex(polygon([[0, 0], [1, 0], [0, 1]]), path(0, 0, 1)))).toBe('editing.too-few-points')
    const short = done(removeVertex(line, path(0, 0, 1)))
    expect(short).toEqual({ type: 'LineString', coordinates: [[0, 0], [2, 0]] })
    expect(reason(removeVertex(short, path(0, 0, 1)))).toBe('editing.too-few-points')
    const points: MultiPoint = { type: 'MultiPoint', coordinates: [[1, 1], [2, 2]] }
    const single = done(removeVertex(points, path(0, 0, 0)))
    expect(single).toEqual({ type: 'MultiPoint', coordinates: [[2, 2]] })
    expect(reason(removeVertex(single, path(0, 0, 0)))).toBe('editing.too-few-points')
  })
  test('a line grows at its ends only', () => {
    expect((done(extendLine(line, path(0, 0, 2), [3, 0])) as LineString).coordinates).toEqual([[0, 0], [1, 0], [2, 0], [3, 0]])
    expect((done(extendLine(line, path(0, 0, 0), [-1, 0])) as LineString).coordinates).toEqual([[-1, 0], [0, 0], [1, 0], [2, 0]])
    expect(reason(extendLine(line, path(0, 0, 1), [3, 0]))).toBe('editing.not-there')
    expect(reason(extendLine(holed, path(0, 0, 0), [3, 0]))).toBe('editing.not-there')
    expect(reason(extendLine(line, path(0, 0, 2), [2, 0]))).toBe('editing.same-place')
  })
})

describe('rings and parts', () => {
  test('a hole comes and goes, the shell does not', () => {
    const more = done(addHole(holed, 0, box(1, 1, 2, 2))) as Polygon
    expect(more.coordinates[2]).toEqual([[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]])
    expect(done(removeHole(more, 0, 2))).toEqual(holed)
    expect(reason(removeHole(more, 0, 0))).toBe('editing.not-a-hole')
    expect(reason(removeHole(more, 0, 3))).toBe('editing.not-there')
    expect(reason(addHole(holed, 0, [[1, 1], [2, 1], [1, 1]]))).toBe('editing.too-few-points')
  })
  test('a second part makes it Multi; the last part stays', () => {
    const both = done(addPart(holed, polygon(box(20, 0, 30, 10))))
    expect(both).toEqual(two)
    expect(done(removePart(both, 0))).toEqual({ type: 'MultiPolygon', coordinates: [two.coordinates[1]] })
    expect(reason(removePart(holed, 0))).toBe('editing.last-part')
    expect(reason(addPart(holed, line))).toBe('editing.not-editable')
    expect((done(addPart({ type: 'Point', coordinates: [0, 0] } as Point, { type: 'Point', coordinates: [1, 1] })) as MultiPoint).coordinates).toEqual([[0, 0], [1, 1]])
  })
  test('a box of the old shape is not kept', () => {
    expect(done(moveVertex({ ...holed, bbox: [0, 0, 10, 10] }, path(0, 0, 0), [-1, -1]))).not.toHaveProperty('bbox')
  })
})
