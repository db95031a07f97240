/** From a session to the server and back: what is sent, and what becomes of each answer. */
import type { Geometry } from 'geojson'
import { operations, replay } from '../editing/border'
import { changes, compare, merged, type Choice } from '../editing/changes'
import { byField, fieldsOf, missing } from '../editing/form'
import { isEditable } from '../editing/geometry'
import { isRefused } from '../editing/outcome'
import { createRequest, deleteRequest, fetchForEditing, fetchRawSchema, fingerprint, newKey, operationRequest, patchRequest, send, type Answer, type Fetched, type Request } from '../editing/send'
import { editing } from '../lib/editing'
import { app, t } from '../lib/state.svelte'
import type { Session } from './session.svelte'
import { piecesOf } from './tools'

/** What the page does when the server has something new. */
export interface After {
  /** Features that the edit made out of the one in hand; none for a deleted one. The editor closes. */
  became(ids: string[]): void
  /** Tiles and cards are old. */
  changed(): void
}

/** Sends one request; the same one again has the same key, whatever happened in between. */
async function deliver(s: Session, request: Request): Promise<Answer> {
  const of = fingerprint(request)
  if (s.sending?.of !== of) s.sending = { key: newKey(), of }
  // Written before it goes out: a window that dies meanwhile asks again under the same key.
  await s.keepNow()
  const answer = await send(request, { key: s.sending.key, reason: s.reason, lang: app.lang })
  if (answer.kind !== 'unknown') s.sending = undefined
  if (answer.kind === 'done' && answer.change) editing.made(answer.change, answer.count)
  return answer
}

export async function save(s: Session, after: After): Promise<void> {
  if (s.saving || s.tool === 'draw' || blocked(s)) return
  s.saving = true
  s.message = { kind: 'info', text: t('edit.saving') }
  app.announcement = t('edit.saving')
  try {
    if (s.tool === 'split' || s.tool === 'merge') await saveOperation(s, after)
    else if (s.id === undefined) await saveNew(s, after)
    else await saveChanges(s, after)
  } finally {
    s.saving = false
  }
}

/** What is known to be wrong is said before anything is sent. */
function blocked(s: Session): boolean {
  const empty = s.tool === 'shape' ? missing(s.fields, s.properties) : []
  if (empty.length > 0) {
    s.wrong = new Map([...s.wrong, ...empty.map((name) => [name, t('form.required')] as const)])
  }
  if (s.wrong.size > 0 && s.tool === 'shape') {
    // Errors of the server stand until their field is changed: what is the same would be refused again.
    complain(s, t('edit.fieldsWrong', { n: s.wrong.size }))
    return true
  }
  const problem = s.tool === 'shape' ? s.problems[0] : undefined
  if (problem) {
    s.refuse({ refused: problem.reason, at: problem.at })
    return true
  }
  return false
}

async function saveNew(s: Session, after: After): Promise<void> {
  const properties = Object.fromEntries(Object.entries(s.properties).filter(([, value]) => value !== null && value !== undefined))
  const answer = await deliver(s, createRequest(s.collection.id, s.now.geometry, properties))
  if (answer.kind !== 'done') return other(s, answer)
  const id = answer.feature?.id
  await s.forgetDraft()
  if (id === undefined) return after.became([])
  after.changed()
  s.id = String(id)
  s.fields = fieldsOf(await fetchRawSchema(s.collection.id, app.lang).catch(() => ({})), false)
  s.history = { ...s.history, past: [], future: [] }
  await settle(s, answer, after)
}

async function saveChanges(s: Session, after: After): Promise<void> {
  const { id, base, patch } = s
  if (id === undefined || !base) return
  // Somebody else's part of a common border is changed by an operation, which looks after all of them.
  if (s.sharedChanges.length === 0) {
    if (!patch) return
    const answer = await deliver(s, patchRequest(s.collection.id, id, patch, s.etag))
    return answer.kind === 'done' ? settle(s, answer, after) : other(s, answer)
  }
  if (patch?.properties) {
    const answer = await deliver(s, patchRequest(s.collection.id, id, { properties: patch.properties }, s.etag))
    if (answer.kind !== 'done') return other(s, answer)
    s.etag = answer.etag
    s.base = { ...base, properties: s.now.properties }
    after.changed()
  }
  const geometry = s.now.geometry
  if (!isEditable(base.geometry) || !isEditable(geometry)) return
  const all = operations(base.geometry, geometry, s.history.present.steps)
  if (isRefused(all)) return s.refuse(all)
  for (const [i, operation] of all.entries()) {
    const answer = await deliver(s, operationRequest(s.collection.id, operation, i === 0 && s.etag ? { [id]: s.etag } : {}))
    if (answer.kind !== 'done') {
      // What went before is done: from there on.
      if (i > 0 && answer.kind !== 'unknown') await reload(s, after)
      return other(s, answer)
    }
    after.changed()
  }
  await reload(s, after)
  saved(s)
}

/** The server's answer is what is edited from now on. */
async function settle(s: Session, answer: Extract<Answer, { kind: 'done' }>, after: After): Promise<void> {
  after.changed()
  if (!answer.feature) return reload(s, after).then(() => saved(s))
  await s.forgetDraft()
  await s.beginWith({ feature: answer.feature, ...(answer.etag !== undefined && { etag: answer.etag }) })
  saved(s)
}

async function reload(s: Session, after: After): Promise<void> {
  if (s.id === undefined) return
  after.changed()
  const fetched = await fetchForEditing(s.collection.id, s.id, app.lang).catch(() => undefined)
  await s.forgetDraft()
  if (fetched) await s.beginWith(fetched)
}

function saved(s: Session): void {
  s.reason = ''
  s.message = { kind: 'done', text: t('edit.saved', { time: new Intl.DateTimeFormat(app.lang === 'uk' ? 'uk-UA' : 'en-GB', { timeStyle: 'short' }).format(Date.now()) }) }
  app.announcement = s.message.text
}

async function saveOperation(s: Session, after: After): Promise<void> {
  const { id, etag } = s
  const { drawing, merge } = s.history.present
  if (id === undefined) return
  const named = s.collection.labelProperty ?? s.fields.find((f) => f.type === 'string' && !f.readOnly)?.name
  const piece = (name: string | undefined) => (named && name?.trim() ? { properties: { [named]: name.trim() } } : {})
  const tags: Record<string, string> = etag ? { [id]: etag } : {}
  let operation: object
  if (s.tool === 'split') {
    if (drawing?.status !== 'finished' || !drawing.geometry) return
    operation = { operation: 'split', id, line: drawing.geometry, pieces: piecesOf(s).map((_, i) => piece(s.names[i])) }
  } else {
    if (!merge || merge.length === 0) return
    for (const other of merge) {
      const theirs = await fetchForEditing(s.collection.id, other, app.lang).catch(() => undefined)
      if (theirs?.etag) tags[other] = theirs.etag
    }
    operation = { operation: 'merge', ids: [id, ...merge], ...piece(s.names[0]) }
  }
  const answer = await deliver(s, operationRequest(s.collection.id, operation, tags))
  if (answer.kind !== 'done') return other(s, answer)
  await s.forgetDraft()
  after.changed()
  after.became(answer.ids)
}

export async function remove(s: Session, after: After): Promise<void> {
  if (s.id === undefined || s.saving) return
  s.saving = true
  const answer = await deliver(s, deleteRequest(s.collection.id, s.id, s.etag))
  s.saving = false
  s.deleting = false
  if (answer.kind !== 'done') return other(s, answer)
  await s.forgetDraft()
  after.changed()
  after.became([])
}

async function other(s: Session, answer: Exclude<Answer, { kind: 'done' }>): Promise<void> {
  void s.keepNow()
  switch (answer.kind) {
    case 'unknown':
      return complain(s, t('edit.unknown'), 'retry')
    case 'signed-out':
      return complain(s, answer.detail, 'sign-in')
    case 'refused':
      return complain(s, answer.detail)
    case 'conflict':
      return openConflict(s)
    case 'wrong': {
      const { fields } = byField(answer.errors)
      const pieces = answer.errors.filter((e) => e.pointer.startsWith('/pieces/') || e.pointer.startsWith('/properties/'))
      if (s.tool === 'shape') s.wrong = fields
      const texts = [...new Set(answer.errors.filter((e) => !fields.has(e.pointer.slice('/properties/'.length))).map((e) => e.detail))]
      const text = s.tool === 'shape' && fields.size > 0 ? [t('edit.fieldsWrong', { n: fields.size }), ...texts].join(' ') : texts.join(' ') || pieces[0]?.detail || answer.detail
      return complain(s, text)
    }
  }
}

function complain(s: Session, text: string, offer?: 'retry' | 'sign-in'): void {
  s.message = { kind: 'error', text, offer }
  app.announcement = text
}

// ---- conflicts ----

/** Shows what somebody else made of the feature beside what is in hand. */
export async function openConflict(s: Session): Promise<void> {
  if (s.id === undefined || !s.base) return
  let theirs: Fetched | undefined
  try {
    theirs = await fetchForEditing(s.collection.id, s.id, app.lang)
  } catch {
    return complain(s, t('edit.unknown'), 'retry')
  }
  s.message = undefined
  if (!theirs) {
    s.remote = 'gone'
    app.announcement = t('edit.gone')
    return
  }
  s.remote = undefined
  s.conflict = { theirs, comparison: compare(s.base, s.now, { geometry: theirs.feature.geometry, properties: theirs.feature.properties }) }
  app.announcement = t('conflict.title')
}

/** Mine is given up. */
export async function takeTheirs(s: Session, after: After): Promise<void> {
  const { conflict } = s
  if (!conflict) return
  s.conflict = undefined
  await s.forgetDraft()
  await s.beginWith(conflict.theirs)
  s.message = { kind: 'done', text: t('conflict.tookTheirs') }
  app.announcement = s.message.text
  after.changed()
}

/** What was chosen of mine goes on top of theirs, and is saved. */
export async function keepMine(s: Session, choice: Choice, after: After): Promise<void> {
  const { conflict } = s
  if (!conflict) return
  const { theirs, comparison } = conflict
  const patch = merged(comparison, choice)
  if (isRefused(patch)) return s.refuse(patch)
  const mineAll = s.history.present
  const takesGeometry = patch?.geometry !== undefined
  s.conflict = undefined
  await s.beginWith(theirs)
  const self = s.history.present.set.get(s.key)!
  const properties = { ...theirs.feature.properties, ...patch?.properties }
  // Common borders as they were moved, if theirs has left them where they were; else mine goes over theirs alone.
  const replayed = takesGeometry && comparison.geometry.state !== 'conflict' ? replay(s.history.present.set, mineAll.steps) : undefined
  const moved = replayed !== undefined && !isRefused(replayed)
  const around = moved ? replayed : s.history.present.set
  const set = takesGeometry ? new Map(around).set(s.key, { ...self, geometry: comparison.geometry.mine as Geometry }) : around
  s.step({ properties, set, steps: moved ? mineAll.steps : [] }, 'edit.did.keptMine')
  if (s.dirty) await save(s, after)
  else await s.forgetDraft()
}

/** Adds what is in hand as a new feature, since the old one is gone. */
export async function addAnew(s: Session, after: After): Promise<void> {
  const { geometry, properties } = s.now
  await s.forgetDraft()
  const own = new Set(s.fields.filter((f) => !f.readOnly).map((f) => f.name))
  s.id = undefined
  s.base = undefined
  s.etag = undefined
  s.remote = undefined
  s.history = { past: [], future: [], present: { set: new Map(geometry ? [[s.key, { type: 'Feature', geometry, properties: {} }]] : []), steps: [], properties: Object.fromEntries(Object.entries(properties ?? {}).filter(([name]) => own.has(name))) } }
  await save(s, after)
}

/** News from elsewhere: is it about the feature in hand, and is it not what the server answered us? */
export async function lookAtRemote(s: Session): Promise<void> {
  if (s.id === undefined || s.saving || s.conflict || s.closed || !s.ready) return
  const before = s.etag
  let theirs: Fetched | undefined
  try {
    theirs = await fetchForEditing(s.collection.id, s.id, app.lang)
  } catch {
    // Without an answer there is nothing to tell; saving finds out.
    return
  }
  if (s.saving || s.closed || s.etag !== before) return
  if (theirs && bare(theirs.etag) === bare(before)) return
  const same = theirs && s.base && changes(s.base, { geometry: theirs.feature.geometry, properties: theirs.feature.properties }) === undefined
  if (same) return
  s.remote = theirs ?? 'gone'
  app.announcement = theirs ? t('edit.remote') : t('edit.gone')
}

/** A tag without what compression adds to it. */
function bare(etag: string | undefined): string {
  return (etag ?? '').replace(/-(br|gzip|zstd|deflate)(?="$)/, '')
}
