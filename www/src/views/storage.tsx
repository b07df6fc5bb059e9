/** Where the data lives: what is stored, where, how firmly, and what is not stored at all. */
import { bytes, count } from '../words.ts'
import type { ViewProps } from './app.tsx'
import { Card } from './parts.tsx'

const PLACES: Readonly<Record<string, string>> = {
  indexeddb: 'IndexedDB of this browser',
  sqlite: 'SQLite on this computer',
  memory: 'memory only, gone when the node stops',
}

export function StorageCard({ state, act }: ViewProps) {
  const { storage } = state
  return (
    <Card title="Where the data lives">
      {storage === null ? (
        <p class="empty">Known when the node has started.</p>
      ) : (
        <dl class="facts">
          <dt>Stored here</dt>
          <dd data-storage={storage.kind} data-bytes={storage.bytes}>
            {PLACES[storage.kind] ?? storage.kind}
            {storage.bytes !== null && `, ${bytes(storage.bytes)}`}
          </dd>
          {storage.path !== null && (
            <>
              <dt>File</dt>
              <dd>
                <code>{storage.path}</code>
              </dd>
            </>
          )}
          <dt>History</dt>
          <dd>{`${count(state.vertices, 'signed record')}, ${count(state.blobs.count, 'blob')} of ${bytes(state.blobs.bytes)}`}</dd>
          <dt>Also on</dt>
          <dd>
            {state.peers.length === 0 ? 'nobody connected now' : count(state.peers.length, 'peer')}
          </dd>
          <dt>Your rows</dt>
          <dd>
            {state.mode === 'owner'
              ? 'stay where the node read them'
              : 'never leave this tab; a reload forgets them'}
          </dd>
        </dl>
      )}
      {state.mode === 'tab' && <Keep state={state} act={act} />}
    </Card>
  )
}

function Keep({ state, act }: ViewProps) {
  if (state.persisted === null) return null
  if (state.persisted)
    return <p class="note">The browser has promised not to clear this by itself.</p>
  return (
    <div class="keep">
      <p class="note">The browser may clear this when disk space runs short.</p>
      <button type="button" data-action="keep" onClick={act.keep}>
        Ask it to keep this
      </button>
    </div>
  )
}
