import { describe, expect, test } from 'vitest'
import { addDays, addMonths, dayAt, dayByKey, dayOf, dayText, isDay, numberOf } from '../../src/lib/dates'
import { fromFragment, toFragment } from '../../src/lib/permalink'

describe('days', () => {
  test.each([['2014-03-01', true], ['2024-02-29', true], ['2023-02-29', false], ['2014-3-1', false], ['2014-13-01', false], ['0000-00-00', false], ['2014-03-01T00', false], ['', false]])('%s is a day: %s', (text, is) => expect(isDay(text)).toBe(is))
  test('numbers and days are the same, before 1970 too', () => {
    for (const day of ['1970-01-01', '1969-12-31', '2026-11-28', '1900-03-01']) expect(dayOf(numberOf(day))).toBe(day)
    expect(numberOf('1970-01-02')).toBe(1)
    expect(addDays('2024-02-28', 1)).toBe('2024-02-29')
    expect(addDays('2023-12-31', 1)).toBe('2024-01-01')
  })
  test('months end where they end', () => {
    expect(addMonths('2024-01-31', 1)).toBe('2024-02-29')
    expect(addMonths('2023-03-31', -1)).toBe('2023-02-28')
    expect(addMonths('2024-12-15', 1)).toBe('2025-01-15')
    expect(addMonths('2024-01-15', -1)).toBe('2023-12-15')
  })
  test('the day of a moment is that of UTC, as the server counts', () => expect(dayAt('2014-03-01T23:30:00-05:00')).toBe('2014-03-02'))
  test('keys stay within the scale, and go on from a day before it', () => {
    const by = (key: string, day: string) => dayByKey(key, day, '2020-01-10', '2026-11-28')
    expect(by('ArrowLeft', '2021-03-01')).toBe('2021-02-28')
    expect(by('PageUp', '2021-03-01')).toBe('2021-04-01')
    expect(by('ArrowLeft', '2020-01-10')).toBe('2020-01-10')
    expect(by('PageDown', '2020-01-20')).toBe('2020-01-10')
    expect(by('ArrowUp', '2026-11-28')).toBe('2026-11-28')
    expect(by('Home', '2021-03-01')).toBe('2020-01-10')
    expect(by('End', '2021-03-01')).toBe('2026-11-28')
    expect(by('PageDown', '2014-03-01')).toBe('2014-02-01')
    expect(by('Tab', '2021-03-01')).toBeUndefined()
  })
  test('in words', () => {
    expect(dayText('en', '2014-03-01')).toBe('1 March 2014')
    expect(dayText('uk', '2014-03-01')).toMatch(/^1 березня 2014/)
  })
  test('in the link', () => {
    expect(toFragment({ ...fromFragment('date=2014-03-01&sel=parcels/1&history=1') })).toBe('sel=parcels/1&history=1&date=2014-03-01')
    expect(fromFragment('date=2014-02-30').asOf).toBeUndefined()
    expect(fromFragment('date=<script>').asOf).toBeUndefined()
  })
})
