/** Colours by role. One record a theme; `tests/contrast.test.ts` holds every pair that must be told apart. */
import type { Theme } from '../lib/permalink'

export interface Colours {
  /** Ground inside and outside the town. */
  land: string
  surround: string
  block: string
  blockLine: string
  street: string
  streetCasing: string
  /** Main streets, told apart in the view of the whole town. */
  streetMain: string
  streetMainCasing: string
  building: string
  buildingLine: string
  settlementFill: string
  river: string
  /** Text on the ground, its halo, and quieter text. */
  label: string
  labelSoft: string
  halo: string
  /** Lines with a meaning: at least 3:1 against the ground (WCAG 2.2, 1.4.11). */
  parcel: string
  parcelNumber: string
  /** Parcels that are the ground for something else. */
  'parcel-quiet': string
  easement: string
  quarter: string
  'cadastral-zone': string
  boundary: string
  district: string
  ward: string
  settlement: string
  address: string
  overlay: string
  water: string
  sewer: string
  gas: string
  /** Dark edge of the yellow of gas: together they stand out, the yellow alone does not. */
  'gas-casing': string
  power: string
  heat: string
  telecom: string
  drainage: string
  lighting: string
  'zone-residential': string
  'zone-dense': string
  'zone-business': string
  'zone-office': string
  'zone-industry': string
  'zone-open': string
  'zone-mixed': string
  'zone-special': string
  'zone-farm': string
  'zone-other': string
  /** Symbol on a disc of a meaningful colour. */
  onSymbol: string
  /** Two-tone outline that stands out on map and photo. */
  selection: string
  selectionCasing: string
  measure: string
}

export type Role = keyof Colours

const light: Colours = {
  land: '#f8f6f1',
  surround: '#e7e9e6',
  block: '#efebe1',
  blockLine: '#ddd6c8',
  street: '#ffffff',
  streetCasing: '#d5cfc2',
  streetMain: '#ffffff',
  streetMainCasing: '#a89c86',
  building: '#ded6c7',
  buildingLine: '#bdb19c',
  settlementFill: '#ece6d8',
  river: '#b4d3e6',
  label: '#2b3640',
  labelSoft: '#56616b',
  halo: '#ffffff',
  parcel: '#8a6b4c',
  parcelNumber: '#5c4228',
  'parcel-quiet': '#818487',
  easement: '#7a6f2b',
  quarter: '#7b5a8c',
  'cadastral-zone': '#1f6f5c',
  boundary: '#845080',
  district: '#75618f',
  ward: '#4f6f8f',
  settlement: '#8f6b45',
  address: '#4a5560',
  overlay: '#7a3fa0',
  water: '#1668b0',
  sewer: '#8a4a1c',
  gas: '#ffcf1a',
  'gas-casing': '#5a4a0a',
  power: '#c0362c',
  heat: '#b0307c',
  telecom: '#5f4bb6',
  drainage: '#0b7a80',
  lighting: '#8a6d00',
  'zone-residential': '#a8861a',
  'zone-dense': '#bb6a1e',
  'zone-business': '#c0453f',
  'zone-office': '#3b6fb5',
  'zone-industry': '#7b5aa6',
  'zone-open': '#3f8a4c',
  'zone-mixed': '#b0508c',
  'zone-special': '#2f8189',
  'zone-farm': '#7c8a2a',
  'zone-other': '#757a80',
  onSymbol: '#ffffff',
  selection: '#0a4fc0',
  selectionCasing: '#ffffff',
  measure: '#c02a68',
}

const dark: Colours = {
  land: '#20262d',
  surround: '#171b20',
  block: '#272e36',
  blockLine: '#353e48',
  street: '#3a434d',
  streetCasing: '#1a1f25',
  streetMain: '#586573',
  streetMainCasing: '#12161a',
  building: '#343d47',
  buildingLine: '#4b5662',
  settlementFill: '#2a323b',
  river: '#1d3a52',
  label: '#e3e9ee',
  labelSoft: '#aab5bf',
  halo: '#171b20',
  parcel: '#b6966f',
  parcelNumber: '#e2c7a0',
  'parcel-quiet': '#7f8a95',
  easement: '#bfb25c',
  quarter: '#b898cc',
  'cadastral-zone': '#5cc4a6',
  boundary: '#cf94ca',
  district: '#b3a0d4',
  ward: '#8fb2d6',
  settlement: '#cda676',
  address: '#c3ccd4',
  overlay: '#c58cf0',
  water: '#62aef0',
  sewer: '#d08a58',
  gas: '#ffd84a',
  'gas-casing': '#171b20',
  power: '#f27e72',
  heat: '#ee80bc',
  telecom: '#a99af5',
  drainage: '#4cc3c8',
  lighting: '#e6c64a',
  'zone-residential': '#dcbc54',
  'zone-dense': '#e8995a',
  'zone-business': '#ec7f78',
  'zone-office': '#7caaf0',
  'zone-industry': '#b494e6',
  'zone-open': '#74c283',
  'zone-mixed': '#e68cc4',
  'zone-special': '#5fbcc4',
  'zone-farm': '#bccb62',
  'zone-other': '#a7afb7',
  onSymbol: '#14181c',
  selection: '#8cc4ff',
  selectionCasing: '#0b0e11',
  measure: '#ff8ab8',
}

export function coloursOf(theme: Theme): Colours {
  return theme === 'dark' ? dark : light
}

/** The colour of a role, or of an unknown name: a stable hue of its own with the theme's lightness. */
export function colourOf(name: string, theme: Theme): string {
  const record: Record<string, string> = { ...coloursOf(theme) }
  return record[name] ?? hueOf(name, theme)
}

/** The colour of a symbol on a disc: light, or dark where the disc itself is light. */
export function symbolOn(disc: string, theme: Theme): string {
  const { onSymbol } = coloursOf(theme)
  return contrast(onSymbol, disc) >= 3 ? onSymbol : theme === 'dark' ? '#ffffff' : '#2b2300'
}

/** A hue that depends on the text only, so that a collection keeps its colour from day to day. */
export function hueOf(text: string, theme: Theme): string {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  // Twenty-four hues: neighbours stay apart for the eye.
  const hue = (hash % 24) * 15
  return theme === 'dark' ? hex(hue, 0.55, 0.7) : hex(hue, 0.55, hue >= 40 && hue <= 200 ? 0.29 : 0.4)
}

function hex(hue: number, saturation: number, lightness: number): string {
  const a = saturation * Math.min(lightness, 1 - lightness)
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12
    const value = lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))
    return Math.round(value * 255).toString(16).padStart(2, '0')
  }
  return `#${channel(0)}${channel(8)}${channel(4)}`
}

/** Red, green, blue, 0..255. */
export function rgb(colour: string): [number, number, number] {
  const n = Number.parseInt(colour.slice(1), 16)
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255]
}

/** Contrast of two opaque colours, 1 to 21 (WCAG 2.2, relative luminance and contrast ratio). */
export function contrast(one: string, two: string): number {
  const [a, b] = [luminance(one), luminance(two)]
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
}

function luminance(colour: string): number {
  const [r, g, b] = rgb(colour).map((v) => {
    const s = v / 255
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** `colour` at `opacity` over `ground`, as an opaque colour. */
export function over(colour: string, opacity: number, ground: string): string {
  const [top, bottom] = [rgb(colour), rgb(ground)]
  return `#${top.map((v, i) => Math.round(v * opacity + bottom[i]! * (1 - opacity)).toString(16).padStart(2, '0')).join('')}`
}
