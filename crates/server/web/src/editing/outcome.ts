/** What editing answers when it does not do what it was asked: a value with the key of a message, never an exception. */
import type { Position } from 'geojson'

export const REASONS = [
  'editing.too-few-points',
  'editing.same-place',
  'editing.not-there',
  'editing.not-editable',
  'editing.not-a-hole',
  'editing.last-part',
  'editing.node-is-joint',
  'editing.not-coordinates',
  'editing.ring-not-closed',
  'editing.zero-area',
  'editing.crosses-itself',
  'editing.touches-itself',
  'editing.hole-crosses-shell',
  'editing.hole-outside',
  'editing.holes-cross',
  'editing.interior-cut',
  'editing.parts-overlap',
  'editing.parts-share-border',
  'editing.cut-does-not-divide',
  'editing.not-contiguous',
  'editing.borders-differ',
  'editing.polygons-overlap',
  'editing.draft-not-kept',
  'editing.conflict-open',
] as const
/** The key of a message for people. */
export type Reason = (typeof REASONS)[number]

export interface Refused {
  refused: Reason
  /** Where the trouble is, for the map to show. */
  at?: Position
}
export type Outcome<T> = T | Refused

export function refuse(refused: Reason, at?: Position): Refused {
  return at ? { refused, at } : { refused }
}

export function isRefused(outcome: unknown): outcome is Refused {
  return typeof outcome === 'object' && outcome !== null && 'refused' in outcome
}
