import { expect, test } from 'vitest'
import { did, drawingOf, treeOf, type Step } from '../../src/lib/history'

const step = (kind: string, from: string, to: string): Step => ({ kind, at: '2026-01-01T00:00:00Z', from: { id: from }, to: { id: to } })
const text = (nodes: ReturnType<typeof treeOf>): string => nodes.map((n) => `${n.id}${n.nodes.length ? `(${text(n.nodes)})` : ''}`).join(' ')

test('a lineage is a tree both ways', () => {
  const steps = [step('split', 'a', 'b'), step('split', 'a', 'c'), step('merge', 'b', 'd'), step('merge', 'x', 'd'), step('renumber', 'd', 'e')]
  expect(text(treeOf(steps, 'd', 'origins'))).toBe('b(a) x')
  expect(text(treeOf(steps, 'd', 'successors'))).toBe('e')
  expect(text(treeOf(steps, 'a', 'successors'))).toBe('b(d(e)) c')
})
test('a circle of numbers ends, a thousand steps too', () => {
  expect(text(treeOf([step('renumber', 'a', 'b'), step('renumber', 'b', 'a')], 'a', 'successors'))).toBe('b')
  const wide = Array.from({ length: 1000 }, (_, i) => step('split', 'a', `${i}`))
  expect(treeOf(wide, 'a', 'successors')).toHaveLength(200)
})
test('an operation is named by its kind, else by what it did', () => {
  expect(did({ operation: 'replace', kind: 'split' })).toBe('history.split')
  expect(did({ operation: 'delete' })).toBe('history.delete')
  expect(did({ operation: 'never heard of', kind: 'neither' })).toBe('history.replace')
})
test('the later state lies below the earlier; what there is not is not drawn', () => {
  const point = { type: 'Point' as const, coordinates: [1, 2] }
  expect(drawingOf(point, point).features.map((f) => f.properties?.state)).toEqual(['after', 'before'])
  expect(drawingOf(null, point).features).toHaveLength(1)
  expect(drawingOf(null, undefined).features).toEqual([])
})
