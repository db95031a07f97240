/** Texts of the catalogue that the server shares: key → text in Ukrainian and English, plurals by CLDR category. */
import type messages from '$messages/web.json'
import start from '$messages/web.json?start'

export type Lang = 'uk' | 'en'
export type Key = keyof typeof messages
export type Args = Record<string, string | number>
type Text = string | Partial<Record<Intl.LDMLPluralRule, string>>

export const LANGS: readonly Lang[] = ['uk', 'en']
const LOCALE: Record<Lang, string> = { uk: 'uk-UA', en: 'en-GB' }
const catalogue = { ...start } as Record<string, Record<Lang, Text>>

/** Texts of a part of the app that is loaded later. */
export function learn(texts: object): void {
  Object.assign(catalogue, texts)
}

/**
 * The text of `key` with `{name}` filled in. A plural text chooses its form by the argument `n`; numbers are written
 * in the language's own way.
 */
export function translate(lang: Lang, key: Key, args: Args = {}): string {
  const text = catalogue[key]?.[lang]
  if (text === undefined) return key
  const form = typeof text === 'string' ? text : pluralForm(lang, text, Number(args.n ?? 0))
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = args[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? formatNumber(lang, value) : value
  })
}

function pluralForm(lang: Lang, forms: Partial<Record<Intl.LDMLPluralRule, string>>, n: number): string {
  return forms[new Intl.PluralRules(LOCALE[lang]).select(n)] ?? forms.other ?? ''
}

/**
 * A number for people, the one way in the whole app: digits grouped from 1000 (in Ukrainian by a narrow space that
 * breaks no line), at most `digits` decimals, a real minus.
 */
export function formatNumber(lang: Lang, value: number, digits = 6): string {
  return written(lang, value, { maximumFractionDigits: digits })
}

/** A ratio as a signed percentage of two significant digits. */
export function formatPercent(lang: Lang, ratio: number): string {
  const text = written(lang, ratio * 100, { maximumSignificantDigits: 2, signDisplay: 'exceptZero' })
  return lang === 'uk' ? `${text}\u202f%` : `${text}%`
}

function written(lang: Lang, value: number, options: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(LOCALE[lang], { useGrouping: 'always', ...options })
    .formatToParts(value)
    .map((p) => (p.type === 'group' && lang === 'uk' ? '\u202f' : p.type === 'minusSign' ? '−' : p.value))
    .join('')
}

/** A date given as `YYYY-MM-DD`, `YYYY/MM/DD`, RFC 3339 or milliseconds since 1970; other text comes back as it is. */
export function formatDate(lang: Lang, value: string | number): string {
  const iso = typeof value === 'string' ? value.replaceAll('/', '-') : value
  // The engine's own reading of dates is generous: "around 1990" would become one.
  if (typeof iso === 'string' && !/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$/.test(iso)) return String(value)
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return String(value)
  const timed = typeof iso === 'string' && iso.length > 10
  return new Intl.DateTimeFormat(LOCALE[lang], {
    dateStyle: 'long',
    timeZone: 'UTC',
    ...(timed ? { timeStyle: 'short', timeZone: undefined } : {}),
  }).format(date)
}

/** Metres to a tenth below a kilometre, kilometres above; no zeros that say more than is known. */
export function formatLength(lang: Lang, metres: number): string {
  if (metres < 999.95) return `${formatNumber(lang, metres, 1)} ${translate(lang, 'unit.m')}`
  return `${formatNumber(lang, metres / 1000, metres < 10_000 ? 2 : 1)} ${translate(lang, 'unit.km')}`
}

/** Square metres, and hectares beside them from a tenth of a hectare; to four digits, as the cadastre writes them. */
export function formatArea(lang: Lang, squareMetres: number): string {
  const m2 = `${formatNumber(lang, squareMetres, squareMetres < 10_000 ? 1 : 0)} ${translate(lang, 'unit.m2')}`
  if (squareMetres < 1000) return m2
  const hectares = squareMetres / 10_000
  const ha = `${hectares < 100 ? written(lang, hectares, { minimumFractionDigits: 4, maximumFractionDigits: 4 }) : formatNumber(lang, hectares, 1)} ${translate(lang, 'unit.ha')}`
  return squareMetres < 1_000_000 ? `${m2} (${ha})` : ha
}

/** The unit of a schema (`x-ogc-unit`) in the reader's language; one that the catalogue lacks is shown as it is. */
export function unitName(lang: Lang, unit: string): string {
  const key = `unit.${unit}`
  return key in catalogue ? translate(lang, key as Key) : unit
}

/** Order of names for people; Ukrainian letters in their own order in both languages. */
export function collator(lang: Lang): Intl.Collator {
  return new Intl.Collator([LOCALE[lang], 'uk-UA'], { numeric: true })
}

/** The language to begin with when neither the link nor the reader has chosen: English only where it is asked for first. */
export function preferredLang(preferences: readonly string[]): Lang {
  for (const tag of preferences) {
    if (tag.toLowerCase().startsWith('uk')) return 'uk'
    if (tag.toLowerCase().startsWith('en')) return 'en'
  }
  return 'uk'
}
