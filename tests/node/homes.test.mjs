// What becomes of a home that was damaged, made twice at once, or whose node cannot say anything.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, run, scratch, TestNode, until } from './cli.mjs'

/** A home whose node has written something, and where its database is. */
async function written() {
  const home = scratch()
  await data(['init', '--home', home], { cwd: home })
  const node = await TestNode.start(home)
  await until(async () => (await node.api('status')).vertices > 0, 'a vertex')
  await node.stop()
  const networks = join(home, 'networks')
  const [network] = readdirSync(networks)
  return { home, database: join(networks, network, 'mesh.db') }
}

test('several init at once make one identity and one network', async () => {
  for (const committee of [false, true]) {
    const home = scratch()
    const ids = committee ? await identities(3) : []
    const own = committee ? [(await data(['init', '--home', home], { cwd: home })).nodeId] : []
    const more = committee ? ['--committee', [...own, ...ids].join(',')] : []
    const asked = Array.from({ length: 4 }, () =>
      data(['init', '--home', home, ...more], { cwd: home }),
    )
    const made = await Promise.all(asked)
    assert.equal(new Set(made.map(({ network }) => network)).size, 1)
    assert.equal(new Set(made.map(({ nodeId }) => nodeId)).size, 1)
    const { network } = JSON.parse(readFileSync(join(home, 'config.json'), 'utf8'))
    assert.equal(network, made[0].network)
  }
})

async function identities(count) {
  const homes = Array.from({ length: count }, () => scratch())
  const made = homes.map((home) => data(['init', '--home', home], { cwd: home }))
  return (await Promise.all(made)).map(({ nodeId }) => nodeId)
}

test('an empty database is a history that is gone', async () => {
  const { home, database } = await written()
  for (const suffix of ['-wal', '-shm']) rmSync(database + suffix, { force: true })
  writeFileSync(database, '')
  const { code, error } = await json(['start', '--home', home], { cwd: home })
  assert.deepEqual([code, error.code], [1, 'history-lost'])
})

test('a database with any bytes wrong is an error, and never the end of a process', async () => {
  const { home, database } = await written()
  for (const suffix of ['-wal', '-shm']) rmSync(database + suffix, { force: true })
  const whole = readFileSync(database)
  const seen = new Set()
  for (let seed = 1; seed <= 12; seed += 1) {
    const bytes = Buffer.from(whole)
    // The first page says that it is a database at all.
    let state = seed
    for (let flip = 0; flip < 60; flip += 1) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      const place = 4_096 + (state % (bytes.length - 4_096))
      bytes[place] ^= 1 + ((state >>> 24) % 255)
    }
    writeFileSync(database, bytes)
    for (const suffix of ['-wal', '-shm']) rmSync(database + suffix, { force: true })
    const { code, stderr, error } = await json(['dag', 'verify', '--home', home], { cwd: home })
    assert.ok(code === 0 || code === 1, `seed ${seed}: ${code}, ${stderr}`)
    assert.doesNotMatch(stderr, /panicked/)
    seen.add(error?.code ?? 'ok')
  }
  seen.delete('ok')
  assert.ok(seen.size > 0 && !seen.has('internal'), `noticed: ${[...seen].join()}`)
})

test('a new identity does not take the place of one that has a history', async () => {
  const { home } = await written()
  rmSync(join(home, 'identity.key'))
  const { code, error } = await json(['init', '--home', home], { cwd: home })
  assert.deepEqual([code, error.code], [1, 'identity-lost'])
  assert.match(error.hint, /--force/)
  const { created } = await data(['init', '--home', home, '--force'], { cwd: home })
  assert.ok(created.some((file) => file.endsWith('identity.key')))
})

test('a home that leaves a network says what stays in it', async () => {
  const { home } = await written()
  const { network } = await data(['status', '--home', home], { cwd: home })
  const [id] = await identities(1)
  const other = id
  const { stderr, left } = await moved(home, other)
  assert.deepEqual(left, { network, finality: false })
  assert.match(stderr, new RegExp(`init --force --network ${network}`))
  assert.doesNotMatch(stderr, /credits/)
  // The control: nothing is left where the network is the same.
  assert.equal((await moved(home, other)).left, null)
})

async function moved(home, network) {
  const args = ['init', '--home', home, '--force', '--network', network]
  const { stderr, data } = await json(args, { cwd: home })
  return { stderr, left: data.left }
}

test('what a network began with is kept twice, and its credits are named when it is left', async () => {
  const home = scratch()
  const { nodeId } = await data(['init', '--home', home], { cwd: home })
  const committee = [nodeId, ...(await identities(3))].join(',')
  const made = await data(['init', '--home', home, '--committee', committee], { cwd: home })
  const start = async () => {
    const node = await TestNode.start(home)
    const { state } = await node.api('finality.status')
    await node.stop()
    return { state, warnings: node.events.filter(({ event }) => event === 'warning') }
  }
  const before = await start()
  assert.deepEqual([before.state === 'causal-only', before.warnings], [false, []])
  const file = join(home, 'networks', made.network, 'genesis.cbor')
  const bytes = readFileSync(file)
  rmSync(file)
  const { problems } = await data(['status', '--home', home], { cwd: home })
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['genesis-lost'],
  )
  const after = await start()
  assert.equal(after.state, before.state)
  assert.deepEqual(
    after.warnings.map(({ data }) => data.code),
    ['genesis-mended'],
  )
  assert.deepEqual(readFileSync(file), bytes)
  assert.deepEqual((await data(['status', '--home', home], { cwd: home })).problems, [])
  assert.deepEqual((await start()).warnings, [])
  const { stderr, left } = await moved(home, nodeId)
  assert.equal(left.finality, true)
  assert.match(stderr, /credits and names of this node/)
})

test('status says that the history is gone', async () => {
  const { home, database } = await written()
  for (const suffix of ['', '-wal', '-shm']) rmSync(database + suffix, { force: true })
  const { problems, vertices } = await data(['status', '--home', home], { cwd: home })
  assert.equal(vertices, 0)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['history-lost'],
  )
  const { stderr, code } = await run(['status', '--home', home], { cwd: home })
  assert.equal(code, 0)
  assert.match(stderr, /warning: .*mesh\.db is gone/)
})

test('a node goes on when nobody reads what it says', async () => {
  const home = scratch()
  await data(['init', '--home', home], { cwd: home })
  const node = await TestNode.start(home)
  node.child.stdout.destroy()
  node.child.stderr.destroy()
  const other = scratch()
  await data(['init', '--home', other, '--join', node.ready.join], { cwd: other })
  const peer = await TestNode.start(other)
  await until(async () => (await node.api('status')).peers.length === 1, 'a connection')
  await peer.stop()
  // It had something to say about that.
  await until(async () => (await node.api('status')).peers.length === 0, 'its end')
  assert.equal(await node.stop(), 143)
})

test('who asked a node that was killed is told that it may have been done', async () => {
  const home = scratch()
  await data(['init', '--home', home], { cwd: home })
  const ids = await identities(3)
  const { nodeId } = await data(['init', '--home', home], { cwd: home })
  const committee = [nodeId, ...ids].join(',')
  await data(['init', '--home', home, '--committee', committee, '--balance', `${nodeId}=5`], {
    cwd: home,
  })
  const node = await TestNode.start(home)
  const paying = json(['wallet', 'transfer', ids[0], '1', '--home', home], { cwd: home })
  const waits = async () => (await node.api('finality.status')).pending > 0
  await until(waits, 'a payment that waits for the other members')
  await node.kill()
  const { code, error } = await paying
  assert.deepEqual([code, error.code], [5, 'node-ended'])
  assert.match(error.hint, /before you ask again/)
})

test('advice names the home that was meant', async () => {
  const home = join(scratch(), 'a b')
  const { stdout } = await run(['init', '--home', home], { cwd: scratch() })
  assert.match(stdout, /next: synaptic-mesh --home '.*a b' start/)
  const { error } = await json(['wallet', 'balance', '--home', home], { cwd: scratch() })
  assert.match(error.hint, /`synaptic-mesh --home '.*a b' start`/)
})
