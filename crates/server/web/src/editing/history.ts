/** Undo and redo. States are immutable and share what did not change, so a step costs what it changed. */

/** Steps kept: a long session does not grow without end. */
export const MAX_STEPS = 200

export interface Step<T> {
  /** The state before the step, in the past; after it, in the future. */
  state: T
  /** Key of the message that names the step: "moved a corner". */
  did: string
}

export interface History<T> {
  /** Oldest first. */
  past: readonly Step<T>[]
  present: T
  /** The next to be done again first. */
  future: readonly Step<T>[]
}

export function begin<T>(present: T): History<T> {
  return { past: [], present, future: [] }
}

/** A new step; what had been undone is gone. The same state again is no step. */
export function record<T>(history: History<T>, state: T, did: string, most = MAX_STEPS): History<T> {
  if (state === history.present) return history
  return { past: [...history.past, { state: history.present, did }].slice(-most), present: state, future: [] }
}

/** Back by one step; the same history where there is none. */
export function undo<T>(history: History<T>): History<T> {
  const last = history.past.at(-1)
  if (!last) return history
  return { past: history.past.slice(0, -1), present: last.state, future: [{ state: history.present, did: last.did }, ...history.future] }
}

export function redo<T>(history: History<T>): History<T> {
  const next = history.future[0]
  if (!next) return history
  return { past: [...history.past, { state: history.present, did: next.did }], present: next.state, future: history.future.slice(1) }
}

/** Key of what `undo` would take back. */
export function undoes(history: History<unknown>): string | undefined {
  return history.past.at(-1)?.did
}

/** Key of what `redo` would do again. */
export function redoes(history: History<unknown>): string | undefined {
  return history.future[0]?.did
}
