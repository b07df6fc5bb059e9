import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, scratch, start, TestNode } from './cli.mjs'

async function home(...args) {
  const place = scratch()
  const made = await data(['init', '--home', place, ...args], { cwd: place })
  return { place, ...made }
}

const processExists = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('start says who and where, status agrees, stop ends it', async () => {
  const { place, nodeId, network } = await home()
  const node = await TestNode.start(place)
  const { ready } = node
  assert.deepEqual(node.events[0].event, 'ready')
  assert.deepEqual(Object.keys(ready).sort(), [
    'addresses',
    'dashboard',
    'join',
    'network',
    'nodeId',
  ])
  assert.equal(ready.nodeId, nodeId)
  assert.match(ready.addresses[0], /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\/\w+$/)
  assert.match(ready.dashboard, /^http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{43}$/)
  assert.match(ready.join, /^http:\/\/127\.0\.0\.1:\d+\/#join=[\w-]+$/)
  const status = await node.data('status')
  assert.equal(status.running, true)
  assert.equal(status.network, network)
  assert.equal(status.storage.kind, 'sqlite')
  assert.ok(existsSync(status.storage.path))
  assert.equal(status.vertices, 1)
  assert.deepEqual(status.runs, [])
  assert.equal(statSync(join(place, 'control.json')).mode & 0o777, 0o600)
  const stopped = await node.data('stop')
  assert.deepEqual(stopped, { stopped: true, pid: node.child.pid })
  assert.equal(await node.ended, 0)
  assert.equal(existsSync(join(place, 'control.json')), false)
  const asleep = await data(['status', '--home', place], { cwd: place })
  assert.equal(asleep.running, false)
  assert.equal(asleep.vertices, 1)
})

test('Ctrl-C and kill end it in order, and it says what is kept', async () => {
  const { place } = await home()
  const first = await TestNode.start(place)
  first.child.kill('SIGINT')
  assert.equal(await first.ended, 130)
  assert.match(first.stderr, /kept: 1 vertices and 0 blobs in .*mesh\.db/)
  const second = await TestNode.start(place)
  assert.equal(await second.stop(), 143)
})

test('one identity has one node', async () => {
  const { place } = await home()
  const node = await TestNode.start(place)
  const second = await json(['start', '--home', place, '--port', '0'], { cwd: place })
  assert.deepEqual([second.code, second.error.code], [1, 'already-running'])
  assert.match(second.error.message, new RegExp(String(node.child.pid)))
  assert.equal((await node.data('status')).running, true)
  await node.stop()
})

test('a busy port is an error where it was asked for; else the next free one is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  const { place } = await home()
  const asked = await json(['start', '--home', place, '--port', String(port)], { cwd: place })
  assert.deepEqual([asked.code, asked.error.code], [1, 'port-busy'])
  assert.notEqual(asked.error.hint, '')
  await data(['config', 'set', 'listen.port', String(port), '--home', place], { cwd: place })
  await data(['config', 'set', 'dashboard.port', String(port), '--home', place], { cwd: place })
  const node = new TestNode(start(['start', '--home', place, '--json'], { cwd: place }), place)
  const { data: ready } = await node.event('ready')
  assert.doesNotMatch(ready.addresses[0], new RegExp(`/tcp/${port}/`))
  assert.match(node.stderr, new RegExp(`port ${port} is in use; listening on \\d+ instead`))
  await node.stop()
  server.close()
})

test('the dashboard and the API keep strangers out', async () => {
  const { place } = await home()
  const node = await TestNode.start(place)
  const url = new URL(node.ready.dashboard)
  const page = await fetch(url.origin)
  assert.equal(page.status, 200)
  assert.match(page.headers.get('content-security-policy'), /default-src 'none'/)
  const ask = (path, headers = {}) => fetch(`${url.origin}${path}`, { headers })
  const token = url.hash.slice('#token='.length)
  assert.equal((await ask('/api/status')).status, 401)
  assert.equal((await ask('/api/status', { authorization: 'Bearer wrong' })).status, 401)
  assert.equal((await ask('/api/status', { authorization: `Bearer ${token}` })).status, 200)
  const foreign = { authorization: `Bearer ${token}`, origin: 'http://evil.example' }
  assert.equal((await ask('/api/status', foreign)).status, 403)
  for (const path of [
    '/wasm/mesh.js',
    '/wasm/mesh_bg.wasm',
    '/wasm/neural.js',
    '/wasm/neural_bg.wasm',
  ]) {
    assert.equal((await ask(path)).status, 200, path)
  }
  assert.equal((await ask('/../package.json')).status, 404)
  assert.doesNotMatch(readFileSync(join(place, 'config.json'), 'utf8'), new RegExp(token))
  await node.stop()
})

test('join: damaged link, foreign network, nobody there', async () => {
  const { place } = await home()
  const node = await TestNode.start(place)
  for (const link of [
    '',
    'http://127.0.0.1/',
    node.ready.join.slice(0, -20),
    'http://x/#join=AAAA',
  ]) {
    const answer = await json(['join', link, '--home', place], { cwd: place })
    assert.deepEqual([answer.code, answer.error.code], [2, 'bad-link'], link)
  }
  const own = await json(['join', node.ready.join, '--home', place], { cwd: place })
  assert.equal(own.code, 2)
  const other = await home()
  const second = await TestNode.start(other.place)
  const foreign = await json(['join', second.ready.join, '--home', place], { cwd: place })
  assert.deepEqual([foreign.code, foreign.error.code], [6, 'wrong-network'])
  const started = await json(
    ['start', '--join', second.ready.join, '--home', (await home()).place],
    {
      cwd: place,
    },
  )
  assert.deepEqual([started.code, started.error.code], [6, 'wrong-network'])
  await second.stop()
  const late = scratch()
  const answer = await json(
    ['join', second.ready.join, '--home', late, '--port', '0', '--dashboard-port', '0'],
    { cwd: late },
  ).catch((thrown) => thrown)
  const error = answer instanceof Error ? answer.message : JSON.stringify(answer)
  assert.match(error, /unreachable/)
  await node.stop()
})

// Being connected to anybody counted as having reached the link.
test('a node with peers says so when nobody at a link answers, and knows whom it has met', async () => {
  const founder = await home()
  const node = await TestNode.start(founder.place)
  const others = []
  for (let n = 0; n < 2; n += 1) {
    const { place } = await home('--join', node.ready.join)
    others.push(await TestNode.start(place, ['--join', node.ready.join]))
  }
  const [first, second] = others
  // A member that we called, and one that called us: both are there already.
  const started = performance.now()
  await first.data('join', node.ready.join)
  await node.data('join', first.ready.join)
  assert.ok(performance.now() - started < 10_000, 'at once')
  await second.kill()
  const join = ({ home }) => json(['join', second.ready.join, '--home', home], { cwd: home })
  for (const answer of await Promise.all([first, node].map(join))) {
    assert.deepEqual([answer.code, answer.error?.code], [5, 'unreachable'])
    assert.match(answer.stderr, /^calling the members of the link: 1 s\n/)
  }
  await first.stop()
  await node.stop()
})

test('join without a home makes one; a home of another network moves over and back', async () => {
  const founder = await home()
  const node = await TestNode.start(founder.place)
  const place = scratch()
  const ports = ['--port', '0', '--dashboard-port', '0', '--json']
  const join = (where) =>
    new TestNode(start(['join', node.ready.join, '--home', where, ...ports], { cwd: where }), where)
  const fresh = join(place)
  await fresh.event('peer', ({ state }) => state === 'connected')
  const status = await fresh.data('status')
  assert.equal(status.network, founder.network)
  assert.deepEqual(
    status.peers.map(({ id }) => id),
    [founder.nodeId],
  )
  assert.deepEqual(
    Object.keys(status.peers[0]).filter((key) => /^(id|transport|path|rttMs)$/.test(key)).length,
    4,
  )
  await fresh.stop()
  const own = await home()
  const lonely = await TestNode.start(own.place)
  await lonely.stop()
  const moved = join(own.place)
  await moved.event('peer', ({ state }) => state === 'connected')
  assert.equal((await moved.data('status')).network, founder.network)
  assert.match(moved.stderr, /^this home was in network .*, whose history stays in it/m)
  await moved.stop()
  await node.stop()
})

test('a lost history is not signed anew', async () => {
  const { place } = await home()
  const node = await TestNode.start(place)
  const { storage } = await node.data('status')
  await node.stop()
  for (const suffix of ['', '-wal', '-shm']) rmSync(storage.path + suffix, { force: true })
  const lost = await json(['start', '--home', place, '--port', '0'], { cwd: place })
  assert.deepEqual([lost.code, lost.error.code], [1, 'history-lost'])
  writeFileSync(storage.path, 'garbage '.repeat(1_000))
  const damaged = await json(['start', '--home', place, '--port', '0'], { cwd: place })
  assert.deepEqual([damaged.code, damaged.error.code], [1, 'storage-corrupt'])
  const passing = await TestNode.start(place, ['--storage', 'memory'])
  const status = await passing.data('status')
  assert.equal(status.storage.kind, 'memory')
  assert.notEqual(status.nodeId, node.ready.nodeId)
  await passing.stop()
})

test("a stale control file and a stale lock stand in nobody's way", async () => {
  const { place } = await home()
  const node = await TestNode.start(place)
  await node.kill()
  assert.ok(existsSync(join(place, 'control.json')))
  assert.equal((await data(['status', '--home', place], { cwd: place })).running, false)
  assert.equal((await json(['stop', '--home', place], { cwd: place })).code, 4)
  assert.equal(processExists(node.child.pid), false)
  const again = await TestNode.start(place)
  assert.equal((await again.data('status')).vertices, 1)
  await again.stop()
})
