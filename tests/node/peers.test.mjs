// Single peers: who is connected and who is not, calling, parting, banning; relays; figures.
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { data, json, PACKAGE, run, scratch, start, TestNode, until } from './cli.mjs'

async function home(...args) {
  const place = scratch()
  const { nodeId, network } = await data(['init', '--home', place, ...args], { cwd: place })
  return { place, nodeId, network }
}

/** A node of the network of a link that knows none of its members. */
async function stranger(network) {
  const { place } = await home()
  await data(['config', 'set', 'network', network, '--home', place], { cwd: place })
  return TestNode.start(place)
}

const command = (node, ...args) => json([...args, '--home', node.home], { cwd: node.home })
const text = (node, ...args) => run([...args, '--home', node.home], { cwd: node.home })

/** A port at which nobody listens. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('peer list, connect, ping, disconnect, ban and unban', async () => {
  const first = await TestNode.start((await home()).place)
  const second = await stranger(first.ready.network)
  const [address] = second.ready.addresses
  const { nodeId } = second.ready

  assert.deepEqual(await first.data('peer', 'list'), { peers: [], unreached: [], banned: [] })
  assert.match((await text(first, 'peer', 'list')).stdout, /^nobody is connected/)

  const connected = await first.data('peer', 'connect', address)
  assert.deepEqual([connected.id, connected.outbound, connected.channel], [nodeId, true, 'hybrid'])
  const { peers } = await first.data('peer', 'list')
  assert.deepEqual(
    peers.map(({ id }) => id),
    [nodeId],
  )
  assert.match(
    (await text(first, 'peer', 'list')).stdout,
    new RegExp(`^${nodeId} .* hybrid .*out`, 'm'),
  )

  const { id, ms } = await first.data('peer', 'ping', nodeId.slice(0, 8))
  assert.equal(id, nodeId, 'the beginning of an id is enough')
  assert.ok(Number.isInteger(ms) && ms >= 0 && ms < 5_000, `${ms} ms`)

  await first.data('peer', 'disconnect', nodeId)
  await second.event('peer', ({ state }) => state === 'disconnected')
  assert.deepEqual((await first.data('peer', 'list')).peers, [])
  const paused = await command(first, 'peer', 'connect', address)
  assert.deepEqual([paused.code, paused.error.code], [5, 'unreachable'])

  assert.match(paused.error.hint, /a minute after/)
  const [parted] = (await first.data('peer', 'list')).unreached
  assert.deepEqual([parted.address, parted.failures], [address, 0])
  assert.match(parted.reason, new RegExp(`parted from ${nodeId}`))
  assert.ok(parted.nextMs > 40_000, `${parted.nextMs} ms`)

  await first.data('peer', 'ban', nodeId)
  const shut = await first.data('peer', 'list')
  assert.deepEqual(shut.banned, [nodeId])
  assert.deepEqual(
    shut.unreached.map(({ reason }) => reason),
    [`${nodeId} is banned`],
  )
  assert.match(
    (await text(first, 'peer', 'list')).stdout,
    new RegExp(`\\n +${nodeId} is banned\\n`),
  )
  const banned = await command(first, 'peer', 'connect', address)
  assert.deepEqual([banned.code, banned.error.code], [6, 'peer-banned'])
  assert.match(banned.error.hint, new RegExp(`peer unban ${nodeId}`))
  assert.equal((await first.data('peer', 'unban', nodeId.slice(0, 8))).id, nodeId)
  assert.deepEqual((await first.data('peer', 'list')).banned, [])

  const unknown = await command(first, 'peer', 'ping', 'nobody')
  assert.deepEqual([unknown.code, unknown.error.code], [1, 'peer-unknown'])
  assert.notEqual(unknown.error.hint, '')
  await second.stop()
  await first.stop()
})

test('peer trace tells the way to a peer, and why there is none', async () => {
  const first = await TestNode.start((await home()).place)
  const second = await stranger(first.ready.network)
  const { nodeId } = second.ready
  const [address] = second.ready.addresses
  await first.data('peer', 'connect', address)
  const told = await first.data('peer', 'trace', nodeId.slice(0, 8))
  const { answeredMs, rttMs, ...way } = told
  assert.deepEqual(way, {
    id: nodeId,
    connected: true,
    path: 'direct',
    relay: null,
    address,
    transport: 'ws',
    channel: 'hybrid',
    outbound: true,
    failures: [],
  })
  assert.ok(Number.isInteger(answeredMs) && answeredMs >= 0 && answeredMs < 5_000, `${answeredMs}`)
  assert.ok(rttMs === null || rttMs >= 0, `${rttMs}`)
  assert.match((await text(first, 'peer', 'trace', nodeId)).stdout, /^path +direct$/m)

  await second.kill()
  await first.event('peer', ({ state }) => state === 'disconnected')
  const refused = await until(async () => {
    const { connected, failures } = await first.data('peer', 'trace', address)
    return connected === false && failures[0]?.failures > 0 ? failures : undefined
  }, 'a call that failed')
  assert.deepEqual(
    refused.map((way) => way.address),
    [address],
  )
  assert.match(refused[0].reason, /ECONNREFUSED/)
  const peerId = address.split('/').at(-1)
  const { failures } = await first.data('peer', 'trace', peerId)
  assert.equal(failures[0]?.address, address, 'a peer id is enough')
  assert.match((await text(first, 'peer', 'trace', peerId)).stdout, /^it is not connected\n/)

  const unknown = await command(first, 'peer', 'trace', 'nobody')
  assert.deepEqual([unknown.code, unknown.error.code], [1, 'peer-unknown'])
  assert.notEqual(unknown.error.hint, '')
  await first.stop()
})

test('a ban holds whoever calls, and over a restart', async () => {
  const { place } = await home()
  let first = await TestNode.start(place)
  const second = await stranger(first.ready.network)
  await first.data('peer', 'connect', second.ready.addresses[0])
  await first.data('peer', 'ban', second.ready.nodeId)
  await first.stop()
  first = await TestNode.start(place)
  assert.deepEqual((await first.data('status')).banned, [second.ready.nodeId])
  const called = await command(second, 'peer', 'connect', first.ready.addresses[0])
  assert.deepEqual([called.code, called.error.code], [5, 'unreachable'])
  const calling = await command(first, 'peer', 'connect', second.ready.addresses[0])
  assert.deepEqual([calling.code, calling.error.code], [6, 'peer-banned'])
  assert.match(calling.error.message, /banned by the owner of this node/)
  assert.match(called.error.hint, /may have banned this one/)
  // The control: without the ban both can.
  await first.data('peer', 'unban', second.ready.nodeId)
  await first.data('peer', 'connect', second.ready.addresses[0])
  await second.stop()
  await first.stop()
})

test('a call that fails says why, and what to do', async () => {
  const node = await TestNode.start((await home()).place)
  const other = await TestNode.start((await home()).place)
  const port = await freePort()
  const [, peer] = other.ready.addresses[0].split('/p2p/')
  const own = node.ready.addresses[0]
  const table = [
    [`/ip4/127.0.0.1/tcp/${port}/ws`, 'unreachable', /ECONNREFUSED.*start that node/],
    [`/ip4/127.0.0.1/udp/${port}/quic-v1`, 'unreachable', /no transport.*\/tcp\/<port>\/ws/],
    [`/dns4/nowhere.invalid/tcp/${port}/ws`, 'unreachable', /ENOTFOUND|EAI_AGAIN/],
    [own, 'unreachable', /our own address/],
    [own.replace(/\w+$/, peer), 'unreachable', /another peer answered|our own address/],
    [other.ready.addresses[0], 'unreachable', /network/],
    ['http://example.org', 'address-invalid', /not a multiaddr/],
  ]
  for (const [address, code, words] of table) {
    const answer = await command(node, 'peer', 'connect', address)
    assert.deepEqual([answer.ok, answer.error?.code], [false, code], address)
    assert.match(answer.error.message, words)
    assert.notEqual(answer.error.hint, '', address)
  }
  const { unreached } = await node.data('peer', 'list')
  const refused = unreached.find(({ address }) => address === table[0][0])
  assert.match(refused.reason, /ECONNREFUSED/)
  assert.ok(refused.failures >= 1)
  assert.match((await text(node, 'peer', 'list')).stdout, /not connected\n(.*\n)*.*ECONNREFUSED/)
  await other.stop()
  await node.stop()
})

test('two processes with one identity are one warning, and no log without end', async () => {
  const member = await TestNode.start((await home()).place)
  const { place, nodeId } = await home('--join', member.ready.join)
  const first = await TestNode.start(place)
  await until(async () => (await member.api('status')).peers.length === 1, 'a connection')
  const copy = join(scratch(), 'home')
  cpSync(place, copy, { recursive: true })
  // As on another machine, where no process of the lock is alive.
  rmSync(join(copy, 'lock'))
  const lines = start(['start', '--home', copy, '--port', '0', '--dashboard-port', '0'], {
    cwd: copy,
  })
  let said = ''
  for (const stream of [lines.stdout, lines.stderr]) stream.on('data', (some) => (said += some))
  const flaps = ({ code }) => code === 'peer-flaps'
  const seen = (await member.event('warning', flaps)).data
  assert.match(seen.message, new RegExp(`^${nodeId} .*a copy of its home`))
  const own = (await first.event('warning', flaps)).data
  assert.match(own.hint, /a copy of this home/)
  await until(() => said.includes('is lost again and again'), 'the warning of the copy')
  const turns = () => said.match(/^[+-] /gm).length
  const before = turns()
  const losses = () => member.events.filter(({ data }) => data.state === 'disconnected').length
  const enough = losses() + 4
  await until(() => losses() >= enough, 'more turns')
  assert.equal(turns(), before, said)
  assert.equal(member.events.filter(({ data }) => flaps(data)).length, 1)
  lines.kill('SIGTERM')
  await first.stop()
  await member.stop()
})

test('a node whose members are all away says so', async () => {
  const founder = await TestNode.start((await home()).place)
  const { place } = await home('--join', founder.ready.join)
  await founder.stop()
  const lonely = await TestNode.start(place)
  const { data: warning } = await lonely.event('warning', ({ code }) => code === 'isolated')
  assert.match(warning.message, /ECONNREFUSED/)
  assert.match(warning.hint, /peer list/)
  await lonely.stop()
})

test('relay status and metrics', async () => {
  const hub = await TestNode.start((await home()).place)
  const { place } = await home('--join', hub.ready.join)
  const member = await TestNode.start(place, ['--join', hub.ready.join])
  const relay = await hub.data('relay', 'status')
  const nothing = { serves: true, on: true, reservations: 0, circuits: 0, through: [], relayed: [] }
  assert.deepEqual(relay, nothing)
  assert.match((await text(hub, 'relay', 'status')).stdout, /^relays for 0 peers/)

  await until(async () => (await hub.data('status')).peers[0]?.rttMs != null, 'a round trip')
  const { origin, hash } = new URL(hub.ready.dashboard)
  const authorization = `Bearer ${hash.slice('#token='.length)}`
  const url = `${origin}/api/metrics`
  assert.equal((await fetch(url)).status, 401, 'not without the token')
  const answer = await fetch(url, { headers: { authorization } })
  assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const lines = (await answer.text()).trimEnd().split('\n')
  // Every line is a comment of its metric or a sample, as the format has them.
  const sample = /^([a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[\d.e+-]+$/
  for (const line of lines) assert.match(line, line.startsWith('#') ? /^# (HELP|TYPE) / : sample)
  assert.ok(lines.includes('synaptic_mesh_peers{path="direct",channel="hybrid"} 1'), lines)
  assert.ok(lines.some((line) => line.startsWith('synaptic_mesh_peer_rtt_seconds{peer="')))
  assert.ok(lines.some((line) => line.startsWith('synaptic_mesh_memory_bytes ')))
  const { metrics } = await hub.data('metrics')
  assert.ok(metrics.find(({ name }) => name === 'synaptic_mesh_vertices').samples[0].value >= 1)
  assert.match((await text(hub, 'metrics')).stdout, /^# TYPE synaptic_mesh_peers gauge$/m)
  await member.stop()
  await hub.stop()
})

test('node.peers() tells who is there, who comes and who goes', async () => {
  const { createNode } = await import(pathToFileURL(join(PACKAGE, 'node.mjs')))
  const node = await createNode({})
  const other = await createNode({ network: node.network })
  const early = await other.connect(node.addresses[0])
  assert.equal(early.id, node.nodeId)
  const changes = node.peers()
  const { value: there } = await changes.next()
  assert.deepEqual([there.state, there.peer.id], ['connected', other.nodeId])
  const third = await createNode({ network: node.network })
  await third.connect(node.addresses[0])
  const { value: comes } = await changes.next()
  assert.deepEqual([comes.state, comes.peer.id], ['connected', third.nodeId])
  assert.ok((await node.ping(third.nodeId)) >= 0)
  await third.stop()
  const { value: goes } = await changes.next()
  assert.deepEqual([goes.state, goes.id], ['disconnected', third.nodeId])
  await assert.rejects(node.ping(third.nodeId), { code: 'peer-unknown' })
  await node.ban(other.nodeId)
  const { value: banned } = await changes.next()
  assert.deepEqual([banned.state, banned.reason], ['disconnected', 'banned by the owner'])
  await node.stop()
  assert.deepEqual(await changes.next(), { done: true, value: undefined })
  await other.stop()
})
