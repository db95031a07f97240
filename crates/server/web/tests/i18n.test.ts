import { describe, expect, test } from 'vitest'
import messages from '$messages/web.json'
import { formatArea, formatDate, formatLength, formatNumber, formatPercent, preferredLang, translate, unitName, type Key } from '../src/lib/i18n'

type Text = string | Record<string, string>
const all = Object.entries(messages as Record<string, Record<string, Text>>)
const space = (text: string) => text.replace(/\s/gu, ' ')

describe('catalogue', () => {
  test('every text is in both languages, with every plural form', () => {
    for (const [key, text] of all) {
      expect(Object.keys(text).sort(), key).toEqual(['en', 'uk'])
      if (typeof text.uk === 'string') {
        expect(typeof text.en, key).toBe('string')
        continue
      }
      expect(Object.keys(text.uk ?? {}).sort(), key).toEqual(['few', 'many', 'one', 'other'])
      expect(Object.keys(text.en ?? {}).sort(), key).toEqual(['one', 'other'])
    }
  })

  test('both languages ask for the same arguments', () => {
    const names = (text: Text) => [...new Set([...JSON.stringify(text).matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort()
    for (const [key, text] of all) expect(names(text.uk!), key).toEqual(names(text.en!))
  })

  test('no Russian letters and no straight apostrophes in Ukrainian words', () => {
    for (const [key, text] of all) {
      expect(JSON.stringify(text.uk), key).not.toMatch(/[ыэъёЫЭЪЁ]/u)
      expect(JSON.stringify(text.uk), key).not.toMatch(/[а-яіїєґ]'[а-яіїєґ]/u)
    }
  })

  test('every text that the sources name exists, and every text is used', async () => {
    const sources = import.meta.glob('../src/**/*.{ts,svelte}', { query: '?raw', import: 'default', eager: true }) as Record<string, string>
    const code = Object.values(sources).join('\n')
    const keys = new Set(Object.keys(messages))
    for (const [, key] of code.matchAll(/\bt\('([\w.]+)'/g)) expect(keys, key).toContain(key)
    const built = /^(unit|theme|lang)\./
    for (const key of keys) if (!built.test(key)) expect(code.includes(`'${key}'`), key).toBe(true)
  })
})

describe('plurals', () => {
  const count = (lang: 'uk' | 'en', n: number) => space(translate(lang, 'list.total', { n }))
  test.each([
    [0, '0 об’єктів на екрані'], [1, '1 об’єкт на екрані'], [2, '2 об’єкти на екрані'], [4, '4 об’єкти на екрані'], [5, '5 об’єктів на екрані'],
    [11, '11 об’єктів на екрані'], [12, '12 об’єктів на екрані'], [14, '14 об’єктів на екрані'], [21, '21 об’єкт на екрані'], [22, '22 об’єкти на екрані'],
    [25, '25 об’єктів на екрані'], [101, '101 об’єкт на екрані'], [111, '111 об’єктів на екрані'], [13_116, '13 116 об’єктів на екрані'],
  ])('Ukrainian %i', (n, text) => expect(count('uk', n)).toBe(text))
  test('English', () => {
    expect(count('en', 1)).toBe('1 feature in view')
    expect(count('en', 0)).toBe('0 features in view')
    expect(count('en', 13_116)).toBe('13,116 features in view')
  })
})

describe('values', () => {
  test('lengths and areas take units that fit', () => {
    expect(space(formatLength('uk', 12.345))).toBe('12,3 м')
    expect(space(formatLength('uk', 2))).toBe('2 м')
    expect(space(formatLength('uk', 128.44))).toBe('128,4 м')
    expect(formatLength('en', 999)).toBe('999 m')
    expect(formatLength('en', 999.97)).toBe('1 km')
    expect(formatLength('en', 1234)).toBe('1.23 km')
    expect(space(formatArea('uk', 599.97))).toBe('600 м²')
    expect(space(formatArea('uk', 1967.1))).toBe('1 967,1 м² (0,1967 га)')
    expect(formatArea('en', 2_500_000)).toBe('250 ha')
  })
  test('grouped from a thousand, in Ukrainian by a narrow space that breaks no line', () => {
    expect(formatNumber('en', 1998)).toBe('1,998')
    expect(formatNumber('uk', 1998)).toBe('1\u202f998')
    expect(formatNumber('uk', 13_116)).toBe('13\u202f116')
    expect(formatNumber('uk', -0.5)).toBe('−0,5')
  })
  test('percentages have a sign, two significant digits and, in Ukrainian, a space', () => {
    expect(formatPercent('uk', -0.000_213)).toBe('−0,021\u202f%')
    expect(formatPercent('uk', 0.1234)).toBe('+12\u202f%')
    expect(formatPercent('en', 0.0123)).toBe('+1.2%')
    expect(formatPercent('en', 0)).toBe('0%')
  })
  test('dates of every notation, and text that is none', () => {
    expect(formatDate('uk', '2026-01-08')).toBe('8 січня 2026 р.')
    expect(formatDate('en', '2026/01/08')).toBe('8 January 2026')
    expect(formatDate('en', 0)).toBe('1 January 1970')
    expect(formatDate('en', 'around 1990?')).toBe('around 1990?')
  })
  test('an unknown unit is shown as it is', () => {
    expect(unitName('uk', 'm2')).toBe('м²')
    expect(unitName('uk', 'furlong')).toBe('furlong')
  })
  test('a missing argument stays visible, a missing text shows its key', () => {
    expect(translate('en', 'card.of', { i: 1 })).toBe('1 of {n}')
    expect(translate('en', 'no.such' as Key)).toBe('no.such')
  })
  test('English only for those who ask for it first', () => {
    expect(preferredLang(['en-GB', 'uk'])).toBe('en')
    expect(preferredLang(['pl', 'uk-UA', 'en'])).toBe('uk')
    expect(preferredLang(['pl'])).toBe('uk')
    expect(preferredLang([])).toBe('uk')
  })
})
