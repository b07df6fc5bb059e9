// A damaged store is made whole from what other members have, or left alone: never is anything signed twice.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, run, scratch, TestNode, until } from './cli.mjs'

const { decodeJoinLink, encodeJoinLink } = await import(
  pathToFileURL(join(PACKAGE, 'node.mjs')).href
)

const PAGE = 4_096

/** Two members with a run in their history, of which the second has stopped. */
async function twoMembers() {
  const [home, other] = [scratch(), scratch()]
  await data(['init', '--home', home], { cwd: home })
  const first = await TestNode.start(home)
  await data(['init', '--home', other, '--join', first.ready.join], { cwd: other })
  const second = await TestNode.start(other)
  await until(async () => (await first.api('status')).peers.length === 1, 'a connection')
  await train(first, 'digits')
  const same = async () => (await second.api('status')).vertices
  await until(async () => (await same()) === (await first.api('status')).vertices, 'the history')
  const { vertices, nodeId, network } = await second.api('status')
  await second.stop()
  return { first, other, vertices, nodeId, network }
}

async function train(node, name) {
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '3', '--min-updates', '1']
  await node.data('run', 'start', name, '--data', DIGITS, ...shape)
  await node.event('run', (event) => event.name === name && event.state === 'finished')
}

const databaseOf = (home, network) => join(home, 'networks', network, 'mesh.db')

async function opened(file) {
  const { findSqlite } = await import(pathToFileURL(join(PACKAGE, 'lib/host/sqlite.js')).href)
  return findSqlite()(file)
}

/** Puts everything into the one file, and overwrites what `spoil` changes in its bytes. */
async function spoilt(file, spoil) {
  const database = await opened(file)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const at = await spoil(database)
  database.close()
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
  const bytes = readFileSync(file)
  for (const place of at ?? []) bytes.fill(0, place, place + 64)
  writeFileSync(file, bytes)
  return bytes
}

/** Where in the file the bytes of vertices are; those that `wanted` says. */
async function placesOf(database, file, wanted = () => true) {
  const bytes = readFileSync(file)
  const rows = database.prepare('SELECT rowid AS n, value FROM vertices ORDER BY rowid').all([])
  return rows.filter(wanted).map(({ value }) => {
    const place = bytes.indexOf(Buffer.from(value).subarray(200, 240))
    assert.ok(place > 0)
    return place
  })
}

const repair = (home, ...more) => json(['dag', 'repair', '--home', home, ...more], { cwd: home })

test('what other members have comes back, under the same identity, which signs nothing twice', async () => {
  const { first, other, vertices, nodeId, network } = await twoMembers()
  const file = databaseOf(other, network)
  const sound = await repair(other)
  assert.deepEqual(sound.data, { vertices, fetched: 0, setAside: null })
  // Its own first vertex among them: whoever began again would sign that place twice.
  await spoilt(file, (database) => placesOf(database, file))
  const refused = await json(['start', '--home', other], { cwd: other })
  assert.notEqual(refused.code, 0)
  const verified = await json(['dag', 'verify', '--home', other], { cwd: other })
  assert.match(verified.error.hint, /dag repair/)

  const { data: done } = await repair(other)
  assert.equal(done.vertices, vertices)
  assert.ok(done.fetched > 0, `${done.fetched}`)
  assert.ok(readdirSync(join(other, 'networks', network)).some((name) => /damaged-/.test(name)))
  assert.equal((await data(['dag', 'verify', '--home', other], { cwd: other })).vertices, vertices)

  const again = await TestNode.start(other)
  assert.equal(again.ready.nodeId, nodeId)
  await until(async () => (await again.api('status')).peers.length === 1, 'a connection')
  await train(again, 'more')
  const seen = async () => (await first.api('run.list')).find(({ name }) => name === 'more')
  await until(async () => (await seen())?.state === 'finished', 'what it wrote')
  for (const node of [first, again]) {
    const { authors } = await node.data('dag', 'stats')
    assert.ok(authors.every(({ equivocated }) => equivocated === null))
    assert.ok(node.events.every(({ data: { code } }) => code !== 'identity-ended'))
  }
  await again.stop()
  await first.stop()
})

test('what nobody has is not made up: the store stays as it is', async () => {
  const { first, other, nodeId, network } = await twoMembers()
  await first.stop()
  // Signed and told nobody: only this store has it.
  const lonely = await TestNode.start(other)
  await train(lonely, 'alone')
  await lonely.stop()
  const file = databaseOf(other, network)
  const last = await spoilt(file, async (database) => (await placesOf(database, file)).slice(-1))
  const back = await TestNode.start(first.home)
  const { code, error } = await repair(other, '--timeout', '8', '--join', back.ready.join)
  assert.deepEqual([code, error.code], [1, 'repair-incomplete'])
  assert.match(error.hint, /nothing was changed.*new identity/)
  assert.deepEqual(readFileSync(file), last)
  const { authors } = await back.data('dag', 'stats')
  assert.ok(authors.find(({ author }) => author === nodeId).equivocated === null)
  await back.stop()
})

test('where nothing says what was signed there is no repair', async () => {
  const { first, other, network } = await twoMembers()
  const file = databaseOf(other, network)
  const root = (database, name) =>
    Number(
      database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').all([name])[0].rootpage,
    )
  const whole = await spoilt(file, () => [])
  const restore = () => {
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
    writeFileSync(file, whole)
  }
  for (const [tree, words] of [
    ['sqlite_autoindex_vertices_1', /the keys of the history are damaged/],
    ['meta', /what the node has noted|cannot say what/],
  ]) {
    restore()
    const bytes = await spoilt(file, (database) => [(root(database, tree) - 1) * PAGE])
    const { code, error } = await repair(other, '--timeout', '2')
    assert.deepEqual([code, error.code], [1, 'repair-impossible'], tree)
    assert.match(error.message, words)
    assert.match(error.hint, /new identity/)
    assert.deepEqual(readFileSync(file), bytes, 'nothing was changed')
  }
  // The control: where the rows are damaged and their keys are not, there is.
  restore()
  await spoilt(file, (database) => [(root(database, 'vertices') - 1) * PAGE])
  assert.equal((await repair(other)).ok, true)
  const { stdout } = await run(['dag', 'repair', '--home', other], { cwd: other })
  assert.match(stdout, /^nothing is wrong with these \d+ vertices/)
  const running = await repair(first.home)
  assert.deepEqual([running.code, running.error.code], [1, 'already-running'])
  await first.stop()
})

test('where members are invited a repair takes an invite, and keeps what was noted of others', async () => {
  const home = scratch()
  await data(['init', '--permissioned', '--home', home], { cwd: home })
  const first = await TestNode.start(home)
  const made = await first.data('invite', 'create')
  const other = scratch()
  await data(['init', '--home', other, '--join', made.link], { cwd: other })
  const second = await TestNode.start(other)
  await until(async () => (await second.api('status')).peers.length === 1, 'a connection')
  const spare = await first.data('invite', 'create', '--uses', '3')
  const own = async (node) => {
    const { invites } = await node.data('invite', 'list')
    return invites.map(({ id, state }) => [id, state]).sort()
  }
  assert.equal((await own(first)).length, 2)
  const same = async () => (await second.api('status')).vertices
  await until(async () => (await same()) === (await first.api('status')).vertices, 'the history')
  const noted = await own(first)
  const { vertices, nodeId, network } = await first.api('status')
  await first.stop()

  const file = databaseOf(home, network)
  const damaged = await spoilt(file, (database) => placesOf(database, file))
  const refused = await repair(home)
  assert.deepEqual([refused.code, refused.error.code], [6, 'uninvited'])
  // The invite of a home is for who it is, and by now used; so is the plain link none.
  const plain = await repair(home, '--join', second.ready.join)
  assert.deepEqual([plain.code, plain.error.code], [6, 'uninvited'])
  assert.deepEqual(readFileSync(file), damaged, 'nothing was changed')
  const { origin } = new URL(spare.link)
  const { addresses } = second.ready
  const link = encodeJoinLink(origin, { ...decodeJoinLink(spare.link), addresses })
  const { data: done } = await repair(home, '--join', link)
  assert.equal(done.vertices, vertices)

  const again = await TestNode.start(home)
  assert.equal(again.ready.nodeId, nodeId)
  await until(async () => (await again.api('status')).peers.length === 1, 'a connection')
  assert.deepEqual(await own(again), noted)
  const { invites } = await again.data('invite', 'list')
  const holders = async () =>
    (await again.data('invite', 'list')).invites.find(({ id }) => id === spare.id).holders
  await until(async () => (await holders()).length === 1, 'the passing member')
  assert.equal(invites.find(({ id }) => id === made.id).holders[0], second.ready.nodeId)
  for (const node of [again, second]) await node.stop()
})
