// The storage suite of the core over the real SQLite store of the host.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SqliteStore } from '../../npm/dist/host/store.js'
import { loadCore } from './core.mjs'

const home = mkdtempSync(join(tmpdir(), 'synaptic-storage-'))
after(() => rmSync(home, { recursive: true, force: true }))

const core = await loadCore()

for (const name of core.storageConformanceCases()) {
  test(`SQLite: ${name}`, async () => {
    await core.storageConformance(name, SqliteStore.open(join(home, name)))
  })
}

test('SQLite: what was applied is there after reopening', async () => {
  const place = join(home, 'reopened')
  await core.storageWriteBeforeReopening(SqliteStore.open(place))
  const store = SqliteStore.open(place)
  await core.storageReadAfterReopening(store)
  store.close()
})

/** The suite must be able to fail. */
test('a store that forgets is found out', async () => {
  const store = SqliteStore.open(join(home, 'forgetful'))
  const forgetful = {
    get: (table, key) => store.get(table, key),
    scan: (table) => store.scan(table),
    apply() {},
    bytes: () => store.bytes(),
    close: () => store.close(),
  }
  await assert.rejects(core.storageConformance('ReadsBack', forgetful), { code: 'store-broken' })
  store.close()
})
