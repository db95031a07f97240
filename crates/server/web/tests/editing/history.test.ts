import { expect, test } from 'vitest'
import { begin, MAX_STEPS, record, redo, redoes, undo, undoes } from '../../src/editing/history'

test('steps go back and forth with their names', () => {
  let h = record(record(begin('a'), 'b', 'did.b'), 'c', 'did.c')
  expect([h.present, undoes(h), redoes(h)]).toEqual(['c', 'did.c', undefined])
  h = undo(h)
  expect([h.present, undoes(h), redoes(h)]).toEqual(['b', 'did.b', 'did.c'])
  h = undo(h)
  expect([h.present, undoes(h), redoes(h)]).toEqual(['a', undefined, 'did.b'])
  expect(undo(h)).toBe(h)
  h = redo(redo(h))
  expect([h.present, undoes(h), redoes(h)]).toEqual(['c', 'did.c', undefined])
  expect(redo(h)).toBe(h)
})

test('a new step forgets what was undone', () => {
  const h = record(undo(record(begin('a'), 'b', 'did.b')), 'c', 'did.c')
  expect([h.present, redoes(h)]).toEqual(['c', undefined])
  expect(undo(h).present).toBe('a')
})

test('the same state again is no step', () => {
  const h = begin('a')
  expect(record(h, 'a', 'did.nothing')).toBe(h)
})

test('the oldest steps go when there are too many', () => {
  let h = begin(0)
  for (let i = 1; i <= MAX_STEPS + 5; i++) h = record(h, i, 'did.step')
  expect(h.past).toHaveLength(MAX_STEPS)
  for (let i = 0; i < MAX_STEPS; i++) h = undo(h)
  expect([h.present, undoes(h)]).toEqual([5, undefined])
  expect(h.future).toHaveLength(MAX_STEPS)
})
