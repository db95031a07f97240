/** Which layers a word means: titles, themes and the words of `styles/`, in either language and on either keyboard. */
import { files, treatmentOf } from '../style/treatment'
import type { Collection } from './api'

const ENGLISH = "`qwertyuiop[]\\asdfghjkl;'zxcvbnm,."
const UKRAINIAN = "'йцукенгшщзхїґфівапролджєячсмитьбю"
const SWAPPED = new Map([...ENGLISH].flatMap((letter, i) => [[letter, UKRAINIAN[i]!], [UKRAINIAN[i]!, letter]] as const))

/** The same keys on the other keyboard: `lskzyrb` is what «ділянки» gives when the layout was not switched. */
export function swapLayout(text: string): string {
  return [...text.toLowerCase()].map((letter) => SWAPPED.get(letter) ?? letter).join('')
}

/** True when every word of `text` begins a word of the layer's title, id, theme or aliases. */
export function meansLayer(c: Collection, text: string, themeTitle: string): boolean {
  const known = words([c.title, c.id, themeTitle, ...(treatmentOf(c).aliases ?? []), ...themeAliases(c)].join(' '))
  return [text, swapLayout(text)].some((spelling) => {
    const asked = words(spelling)
    return asked.length > 0 && asked.every((word) => known.some((k) => k.startsWith(word) || k.startsWith(stem(word))))
  })
}

function themeAliases(c: Collection): string[] {
  return Object.values(files).find((f) => f.theme === c.theme)?.aliases ?? []
}

function words(text: string): string[] {
  return text.toLowerCase().replace(/['’ʼ`]/g, '').split(/[^\p{L}\p{N}]+/u).filter(Boolean)
}

/** Without the ending that Ukrainian cases change, where enough is left: «ділянка» and «ділянки» are one word. */
function stem(word: string): string {
  return word.length >= 7 ? word.slice(0, -2) : word.length >= 5 ? word.slice(0, -1) : word
}
