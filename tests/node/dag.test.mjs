// The signed history, read beside a running node and without one.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, run, scratch, TestNode } from './cli.mjs'

let home
let node
let started

before(async () => {
  home = scratch()
  await data(['init', '--home', home], { cwd: home })
  node = await TestNode.start(home)
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '2']
  started = await node.data('run', 'start', 'digits', '--data', DIGITS, ...shape)
})

after(() => node?.stop())

const dag = (...args) => data(['dag', ...args, '--home', home], { cwd: home })
const refused = (...args) => json(['dag', ...args, '--home', home], { cwd: home })

/** The database of the home, opened by hand. */
async function database() {
  const { findSqlite } = await import(pathToFileURL(join(PACKAGE, 'lib/host/sqlite.js')).href)
  const { network } = await data(['status', '--home', home], { cwd: home })
  return findSqlite()(join(home, 'networks', network, 'mesh.db'))
}

test('the log is the chain of this node, newest first, while it runs', async () => {
  const log = await dag('log')
  const { nodeId } = await data(['status', '--home', home], { cwd: home })
  assert.ok(log.length >= 3, `${log.length} vertices`)
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, place) => log.length - 1 - place),
  )
  assert.ok(log.every(({ author }) => author === nodeId))
  assert.deepEqual(log.at(-1).kinds, ['identity'])
  const run = log.find(({ kinds }) => kinds.includes('run-start'))
  assert.equal(run.id, started.run)
  log.slice(0, -1).forEach(({ prev, parents }, place) => {
    assert.equal(prev, log[place + 1].id)
    assert.ok(parents.includes(prev))
  })
  assert.deepEqual(await dag('log', '--limit', '2'), log.slice(0, 2))
  assert.deepEqual(await dag('log', '--author', nodeId.slice(0, 12)), log)
  const nobody = await refused('log', '--author', 'zzzz')
  assert.deepEqual([nobody.code, nobody.error.code], [1, 'no-such-author'])
})

test('a vertex is shown with what it says, by the beginning of its id', async () => {
  const shown = await dag('show', started.run)
  assert.deepEqual(await dag('show', started.run.slice(0, 20)), shown)
  const text = JSON.stringify(shown.content)
  assert.match(text, /"digits"/)
  assert.ok(text.includes(shown.prev), 'links are ids')
  assert.ok(shown.children.length >= 1)
  assert.equal(Buffer.from(shown.signature, 'base64').length, 3309 + 64)
  const missing = await refused('show', 'bafnothing')
  assert.deepEqual([missing.code, missing.error.code], [1, 'no-such-vertex'])
  const many = await refused('show', 'baf')
  assert.deepEqual([many.code, many.error.code], [1, 'id-ambiguous'])
  const { stdout } = await run(['dag', 'show', started.run, '--home', home], { cwd: home })
  assert.match(stdout, /^vertex +baf/)
})

test('figures are those of the log', async () => {
  const [log, stats] = [await dag('log'), await dag('stats')]
  assert.equal(stats.vertices, log.length)
  assert.equal(
    stats.bytes,
    log.reduce((sum, { size }) => sum + size, 0),
  )
  const kinds = Object.values(stats.kinds).reduce((a, b) => a + b)
  assert.equal(kinds, log.flatMap((one) => one.kinds).length)
  assert.deepEqual([stats.heads, stats.damaged, stats.equivocations], [1, 0, 0])
  assert.deepEqual(
    stats.authors.map(({ vertices }) => vertices),
    [log.length],
  )
})

test('the graph names every parent, in text and for Graphviz', async () => {
  const log = await dag('log')
  const draw = async (...args) =>
    (await run(['dag', 'graph', '--home', home, ...args], { cwd: home })).stdout
  const lines = (await draw()).trim().split('\n')
  assert.equal(lines.length, log.length)
  assert.ok(lines.slice(0, -1).every((line) => line.endsWith('-1')))
  const dot = await draw('--format', 'dot')
  assert.equal(dot.match(/ -> /g).length, log.length - 1)
  assert.match(dot, /^digraph dag \{/)
})

test('a program reads the same history', async () => {
  const { openHistory, SynapticError } = await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)
  const history = await openHistory(home)
  try {
    assert.deepEqual([...history.log()], await dag('log'))
    assert.deepEqual(history.show(started.run), await dag('show', started.run))
    const { vertices } = history.stats()
    const pieces = [...history.verify()]
    assert.deepEqual([pieces.at(-1).done, pieces.flatMap(({ faults }) => faults)], [vertices, []])
    const unknown = (error) => error instanceof SynapticError && error.code === 'no-such-vertex'
    assert.throws(() => history.show('bafnothing'), unknown)
  } finally {
    history.free()
  }
  for (const use of [() => history.stats(), () => [...history.log()], () => history.damaged]) {
    assert.throws(use, { code: 'history-freed' })
  }
  history.free()
  await assert.rejects(openHistory(scratch()), { code: 'not-initialised' })
  await assert.rejects(openHistory(home, { network: 'elsewhere' }), { code: 'no-history' })
})

test('a history that was changed on the disk is not verified', async () => {
  const whole = await dag('verify')
  assert.equal(whole.ok, true)
  await node.stop()
  node = undefined
  assert.deepEqual(await dag('verify'), whole, 'without a node')
  const { vertices } = whole

  const store = await database()
  const [tip] = await dag('log', '--limit', '1')
  const rows = store.prepare('SELECT key, value FROM vertices').all([])
  const put = store.prepare('UPDATE vertices SET value = ? WHERE key = ?')

  let noticed = 0
  for (const { key, value } of rows) {
    const changed = Uint8Array.from(value)
    changed[changed.length - 5] ^= 1
    put.run([changed, key])
    const { code, error, data: found } = await refused('verify')
    assert.deepEqual([code, error.code, found.ok], [1, 'verification-failed', false])
    if (found.faults.some(({ id }) => id === tip.id) && found.faults.length === 1) noticed += 1
    put.run([value, key])
  }
  assert.equal(noticed, 1, 'a bit of the last signature is a fault of the last vertex alone')
  assert.equal((await dag('verify')).vertices, vertices)
  put.run([new Uint8Array(3), rows[0].key])
  const { error, data: damaged } = await refused('verify')
  assert.equal(error.code, 'verification-failed')
  assert.ok(damaged.faults.some(({ id }) => id === null))
  // One record is wrong; those that follow it are whole, and nobody's in particular.
  const following = damaged.faults.filter(({ id }) => id !== null)
  assert.match(error.message, /^1 record is not what it must be; \d+ vertices follow others/)
  assert.ok(following.length > 0 && following.every(({ message }) => /^vertex b/.test(message)))
  put.run([rows[0].value, rows[0].key])
  store.close()
})

test('where there is no history the command says so', async () => {
  const empty = scratch()
  const none = await json(['dag', 'log', '--home', empty], { cwd: empty })
  assert.equal(none.error.code, 'not-initialised')
  await data(['init', '--home', empty], { cwd: empty })
  const fresh = await json(['dag', 'stats', '--home', empty], { cwd: empty })
  assert.deepEqual([fresh.code, fresh.error.code], [1, 'no-history'])
})
