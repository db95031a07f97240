/** Which step a key asks for. Single keys can be switched off (WCAG 2.2, 2.1.4) and are never taken from a text field. */
export type Shortcut = 'back' | 'search' | 'help' | 'layers' | 'list' | 'map' | 'distance' | 'area' | 'copy' | 'previous' | 'next'

const SINGLE: Record<string, Shortcut> = { '/': 'search', '?': 'help', l: 'layers', o: 'list', m: 'map', d: 'distance', a: 'area', c: 'copy', '[': 'previous', ']': 'next' }
/** The same places on a keyboard that writes Ukrainian: what matters is the key, not the letter it gives. */
const BY_PLACE: Record<string, Shortcut> = { KeyL: 'layers', KeyO: 'list', KeyM: 'map', KeyD: 'distance', KeyA: 'area', KeyC: 'copy', BracketLeft: 'previous', BracketRight: 'next' }

type Key = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'target' | 'isComposing'>

export function shortcut(e: Key, single: boolean): Shortcut | undefined {
  if (e.isComposing) return undefined
  if (e.key === 'Escape') return 'back'
  if (!single || e.ctrlKey || e.metaKey || e.altKey || isTextField(e.target)) return undefined
  const known = SINGLE[e.key]
  if (known) return known
  if (e.shiftKey) return e.code === 'Slash' ? 'help' : undefined
  return e.code === 'Slash' ? 'search' : /^[a-z]$/i.test(e.key) ? undefined : BY_PLACE[e.code]
}

function isTextField(target: EventTarget | null): boolean {
  const element = target as Partial<HTMLElement & HTMLInputElement> | null
  if (!element?.tagName) return false
  if (element.isContentEditable || element.tagName === 'TEXTAREA' || element.tagName === 'SELECT') return true
  return element.tagName === 'INPUT' && !['checkbox', 'radio', 'button', 'submit', 'reset'].includes(element.type ?? '')
}
