import { describe, expect, test } from 'vitest'
import { byField, fieldsOf, fieldText, fieldValue, missing, type Field, type RawSchema } from '../../src/editing/form'

const schema: RawSchema = {
  required: ['name'],
  properties: {
    geom: { 'x-ogc-role': 'primary-geometry', 'x-ogc-propertySeq': 1 },
    note: { type: ['string', 'null'], maxLength: 5, 'x-ogc-propertySeq': 9 },
    id: { type: 'string', 'x-ogc-role': 'id', 'x-ogc-propertySeq': 2 },
    name: { title: 'Назва', type: 'string', 'x-ogc-propertySeq': 3 },
    floors: { type: 'integer', minimum: 1, maximum: 99, 'x-ogc-propertySeq': 4 },
    depth: { type: 'number', 'x-ogc-unit': 'm', 'x-ogc-propertySeq': 5 },
    kind: { type: 'string', anyOf: [{ const: 'a', title: 'А' }, { const: 'b' }, {}], 'x-ogc-propertySeq': 6 },
    level: { type: 'integer', enum: [1, 2, null], 'x-ogc-propertySeq': 7 },
    since: { type: 'string', format: 'date', readOnly: true, 'x-ogc-propertySeq': 8 },
    at: { type: 'string', format: 'date-time' },
    open: { type: 'boolean' },
    code: { type: 'string', pattern: '^\\d{3}$' },
  },
}
const fields = new Map(fieldsOf(schema, false).map((f) => [f.name, f]))
const field = (name: string): Field => fields.get(name)!
const value = (name: string, text: string, was: unknown = null) => fieldValue(field(name), text, was)

describe('fields', () => {
  test('are those of the schema but the geometry, in its order', () => {
    expect([...fields.keys()]).toEqual(['id', 'name', 'floors', 'depth', 'kind', 'level', 'since', 'note', 'at', 'open', 'code'])
  })
  test('know their kind, unit, limits and values', () => {
    expect(field('floors')).toMatchObject({ kind: 'integer', min: 1, max: 99, required: false })
    expect(field('depth')).toMatchObject({ kind: 'number', unit: 'm' })
    expect(field('name')).toMatchObject({ title: 'Назва', required: true })
    expect(field('kind')).toMatchObject({ kind: 'choice', open: true, options: [{ value: 'a', title: 'А' }, { value: 'b', title: 'b' }] })
    expect(field('level')).toMatchObject({ kind: 'choice', type: 'integer', open: false, options: [{ value: '1', title: '1' }, { value: '2', title: '2' }] })
    expect(field('since')).toMatchObject({ kind: 'date', readOnly: true })
  })
  test('an id is given once', () => {
    expect(field('id').readOnly).toBe(true)
    expect(fieldsOf(schema, true).find((f) => f.name === 'id')?.readOnly).toBe(false)
  })
})

describe('values', () => {
  test.each([
    ['floors', '12', 12], ['floors', ' 1 2 ', 12], ['depth', '3,5', 3.5], ['depth', '−1', -1], ['depth', '1\u202f000,25', 1000.25], ['depth', '.5', 0.5],
    ['level', '2', 2], ['open', 'true', true], ['open', 'false', false], ['name', ' a ', ' a '], ['since', '2020-01-31', '2020-01-31'], ['code', '123', '123'],
  ])('%s: “%s”', (name, text, expected) => expect(value(name, text)).toEqual({ value: expected }))
  test('empty unsets, but not what is required', () => {
    expect(value('depth', ' ')).toEqual({ value: null })
    expect(value('name', '')).toEqual({ value: null })
    expect(value('name', '', 'x')).toEqual({ wrong: 'form.required' })
  })
  test.each([
    ['floors', '1.5', 'form.integer'], ['floors', 'x', 'form.integer'], ['floors', '0', 'form.min'], ['floors', '100', 'form.max'], ['depth', '1e', 'form.number'], ['depth', '1,2,3', 'form.number'],
    ['since', '31.01.2020', 'form.date'], ['at', 'yesterday', 'form.date'], ['note', '123456', 'form.long'], ['code', '12', 'form.pattern'],
  ])('%s: “%s” is none', (name, text, wrong) => expect(value(name, text)).toMatchObject({ wrong }))
  test('whole numbers that this engine would round are refused and not sent as others', () => {
    const free = { ...field('floors'), min: undefined, max: undefined } as unknown as Field
    expect(fieldValue(free, '9007199254740993', null)).toMatchObject({ wrong: 'form.max' })
    expect(fieldValue(free, '-9007199254740993', null)).toMatchObject({ wrong: 'form.min' })
  })
  test('what shows the value that was there is that value, bit for bit', () => {
    for (const [name, was] of [['depth', 0.1 + 0.2], ['at', '2020-01-01T10:00:00.5+02:00'], ['name', '  x ']] as const) expect(value(name, fieldText(field(name), was), was)).toEqual({ value: was })
  })
  test('a time goes as universal time', () => {
    const shown = fieldText(field('at'), '2020-06-01T10:00:00Z')
    expect(value('at', shown)).toEqual({ value: '2020-06-01T10:00:00Z' })
  })
  test('required fields that are empty are named', () => {
    expect(missing([...fields.values()], { name: '' })).toEqual(['name'])
    expect(missing([...fields.values()], { name: 'x' })).toEqual([])
  })
})

test('errors of the server find their fields by JSON Pointer', () => {
  const { fields: found, rest } = byField([
    { pointer: '/properties/built', detail: 'A' }, { pointer: '/properties/built', detail: 'B' }, { pointer: '/properties/a~1b~0c', detail: 'C' }, { pointer: '/geometry', detail: 'D' }, { pointer: '', detail: 'E' },
  ])
  expect([...found]).toEqual([['built', 'A'], ['a/b~c', 'C']])
  expect(rest).toEqual(['D', 'E'])
})
