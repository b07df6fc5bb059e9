import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { findSqlite } from '../dist/host/sqlite.js'
import { glimpse, SqliteStore } from '../dist/host/store.js'

const root = fs.mkdtempSync(join(tmpdir(), 'store-test-'))
after(() => fs.rmSync(root, { recursive: true }))

const bytes = (text) => new TextEncoder().encode(text)
const place = () => fs.mkdtempSync(join(root, 'case-'))

test('what was applied is there after closing and opening again', () => {
  const directory = place()
  const store = SqliteStore.open(directory)
  store.apply([
    ['vertices', bytes('b'), bytes('2')],
    ['vertices', bytes('a'), bytes('1')],
    ['blobs', bytes('x'), new Uint8Array(0)],
    ['meta', bytes('m'), bytes('old')],
  ])
  store.apply([
    ['meta', bytes('m'), bytes('new')],
    ['vertices', bytes('none'), null],
  ])
  store.close()
  store.close()
  const again = SqliteStore.open(directory)
  assert.deepEqual(
    again.scan('vertices').map(([key, value]) => [String.fromCharCode(...key), value.length]),
    [
      ['a', 1],
      ['b', 1],
    ],
  )
  assert.deepEqual(again.keys('blobs'), [[bytes('x'), 0]])
  assert.equal(Buffer.from(again.get('meta', bytes('m'))).toString(), 'new')
  assert.equal(again.get('meta', bytes('none')), undefined)
  assert.ok(again.get('meta', bytes('m')) instanceof Uint8Array)
  assert.ok(again.bytes() > 0)
  again.close()
  assert.equal(fs.statSync(join(directory, 'mesh.db')).mode & 0o077, 0)
})

test('a view into larger memory is stored without its surroundings', () => {
  const store = SqliteStore.open(place())
  const memory = bytes('before key value after')
  store.apply([['meta', memory.subarray(7, 10), memory.subarray(11, 16)]])
  assert.equal(Buffer.from(store.get('meta', bytes('key'))).toString(), 'value')
  store.close()
})

test('a batch is all or nothing', () => {
  const store = SqliteStore.open(place())
  assert.throws(
    () =>
      store.apply([
        ['meta', bytes('a'), bytes('1')],
        ['wrong', bytes('b'), bytes('2')],
      ]),
    {
      code: 'storage-failed',
    },
  )
  assert.equal(store.get('meta', bytes('a')), undefined)
  store.apply([['meta', bytes('a'), bytes('1')]])
  store.close()
  assert.throws(() => store.get('meta', bytes('a')), { code: 'storage-closed' })
})

test('a full disk is named, and the store stays usable', () => {
  const open = (file) => {
    const database = findSqlite()(file)
    database.exec('PRAGMA max_page_count = 20')
    return database
  }
  const store = SqliteStore.open(place(), open)
  assert.throws(
    () => {
      for (let n = 0; n < 100; n += 1)
        store.apply([['blobs', bytes(`k${n}`), new Uint8Array(4_000)]])
    },
    { code: 'storage-full' },
  )
  assert.ok(store.summary().blobs.count > 0)
  store.apply([['blobs', bytes('k0'), null]])
  store.close()
})

test('damage, a foreign file and a directory in its place have their names', () => {
  const garbage = place()
  fs.writeFileSync(join(garbage, 'mesh.db'), 'garbage '.repeat(1_000))
  assert.throws(() => SqliteStore.open(garbage), { code: 'storage-corrupt' })
  const occupied = place()
  fs.mkdirSync(join(occupied, 'mesh.db'))
  assert.throws(() => SqliteStore.open(occupied), { code: 'storage-permission' })
})

test('a database of a newer layout is left alone', () => {
  const directory = place()
  SqliteStore.open(directory).close()
  const database = findSqlite()(join(directory, 'mesh.db'))
  database.exec('PRAGMA user_version = 99')
  database.close()
  assert.throws(() => SqliteStore.open(directory), {
    code: 'storage-corrupt',
    message: /newer version/,
  })
})

test('a glimpse counts without opening for writing', () => {
  const directory = place()
  assert.equal(glimpse(directory), undefined)
  const store = SqliteStore.open(directory)
  store.apply([
    ['vertices', bytes('a'), bytes('1')],
    ['blobs', bytes('b'), new Uint8Array(100)],
  ])
  store.remember('runs', '[]')
  const seen = glimpse(directory)
  assert.equal(seen.vertices, 1)
  assert.deepEqual(seen.blobs, { count: 1, bytes: 100 })
  assert.equal(seen.recall('runs'), '[]')
  store.close()
})
