/** Days as the time control counts them: `YYYY-MM-DD` in UTC, as the server reads a date; their numbers are days since 1970. */
import { formatDate, type Lang } from './i18n'

const DAY_MS = 86_400_000
/** No map is asked for of a day before. */
export const EARLIEST = '1900-01-01'

/** True for a day of the calendar. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

export function numberOf(day: string): number {
  return Math.floor(Date.parse(`${day}T00:00:00Z`) / DAY_MS)
}

export function dayOf(number: number): string {
  return new Date(number * DAY_MS).toISOString().slice(0, 10)
}

/** The day of a moment, RFC 3339 or milliseconds since 1970. */
export function dayAt(moment: string | number): string {
  return new Date(moment).toISOString().slice(0, 10)
}

export function addDays(day: string, by: number): string {
  return dayOf(numberOf(day) + by)
}

/** The same day of another month, or its last where that month is shorter. */
export function addMonths(day: string, by: number): string {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number]
  const first = new Date(Date.UTC(year, month - 1 + by, 1))
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  first.setUTCDate(Math.min(date, last))
  return dayAt(first.getTime())
}

export function clampDay(day: string, from: string, to: string): string {
  return day < from ? from : day > to ? to : day
}

/** The day that a key of the slider asks for; nothing for another key. A day before the scale was typed: from there the keys go on. */
export function dayByKey(key: string, day: string, from: string, to: string): string | undefined {
  const asked: Record<string, () => string> = {
    ArrowLeft: () => addDays(day, -1),
    ArrowDown: () => addDays(day, -1),
    ArrowRight: () => addDays(day, 1),
    ArrowUp: () => addDays(day, 1),
    PageDown: () => addMonths(day, -1),
    PageUp: () => addMonths(day, 1),
    Home: () => from,
    End: () => to,
  }
  const then = asked[key]?.()
  return then === undefined ? undefined : clampDay(then, day < from ? EARLIEST : from, to)
}

/** "1 March 2014", «1 березня 2014 р.» */
export function dayText(lang: Lang, day: string): string {
  return formatDate(lang, day)
}
