import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import dnsPacket from 'dns-packet'
import { Discovery, serviceName } from '../dist/host/discovery.js'
import { Followed, isDirect, isOnLink, leadsTo } from '../dist/host/followed.js'

const NETWORK = 'a'.repeat(52)
const PEER = '12D3KooWGZaNLKBsHEmz38SLVqerFSCtB2sDVY5q9sevhtf1cgBC'
const address = (host, port) => `/ip4/${host}/tcp/${port}/ws/p2p/${PEER}`

test('members of other networks have another name, which is a label of DNS', () => {
  const name = serviceName(NETWORK)
  assert.match(name, /^_p2p-[0-9a-f]{32}\._udp\.local$/)
  assert.notEqual(name, serviceName('b'.repeat(52)))
})

test('what is told are addresses of IPv4 that can be followed', () => {
  assert.ok(isDirect(address('10.0.0.7', 4100)))
  for (const text of [`/ip6/fe80::1/tcp/1/ws/p2p/${PEER}`, '/dns4/a.example/tcp/1/ws', '']) {
    assert.ok(!isDirect(text), text)
  }
})

test('an answer leads to the machine that sent it, and nowhere else', () => {
  for (const [text, machine, leads] of [
    [address('10.0.0.7', 4100), '10.0.0.7', true],
    [address('10.0.0.8', 4100), '10.0.0.7', false],
    [`/ip6/fe80::1/tcp/1/ws/p2p/${PEER}`, 'fe80::1', false],
    [`/dns4/example.org/tcp/1/ws/p2p/${PEER}`, '10.0.0.7', false],
    ['/ip4/10.0.0.7/tcp/4100/ws', '10.0.0.7', false],
    [`${address('10.0.0.7', 4100)}/p2p-circuit/p2p/${PEER}`, '10.0.0.7', false],
    ['', '10.0.0.7', false],
  ]) {
    assert.equal(leadsTo(text, machine), leads, text)
  }
})

const inet = (cidr) => ({ family: 'IPv4', address: cidr.split('/')[0], cidr })

test('only machines on a subnet of an own interface are on the link', () => {
  const interfaces = {
    lo: [inet('127.0.0.1/8'), { family: 'IPv6', address: '::1', cidr: '::1/128' }],
    eth0: [inet('10.0.0.7/24'), { family: 'IPv4', address: '172.16.0.1', cidr: null }],
    tun0: [inet('192.168.9.1/32')],
    gone: undefined,
  }
  for (const [machine, is] of [
    ['10.0.0.7', true],
    ['10.0.0.255', true],
    ['10.0.1.7', false],
    ['127.0.0.2', true],
    ['192.168.9.1', true],
    ['192.168.9.2', false],
    ['172.16.0.1', false],
    ['8.8.8.8', false],
  ]) {
    assert.equal(isOnLink(machine, interfaces), is, machine)
  }
  assert.equal(isOnLink('10.0.0.7', {}), false)
})

/** How many of so many addresses of a machine are followed. */
const followedOf = (followed, machine, count, nowMs) =>
  Array.from({ length: count }, (_, at) =>
    followed.take(address(machine, 1 + at), machine, nowMs),
  ).filter(Boolean).length

// One host could fill what a node follows in its life, and nobody was found any more.
test('neither one machine nor many stop discovery for longer than an hour', () => {
  const followed = new Followed()
  assert.equal(followedOf(followed, '10.0.0.1', 1_000, 0), 2)
  assert.equal(followedOf(followed, '10.0.0.2', 1, 1), 1, 'others are found all the same')
  const many = Array.from({ length: 200 }, (_, at) => `10.0.0.${3 + at}`)
  const taken = many.map((machine) => followedOf(followed, machine, 1_000, 2))
  assert.equal(
    taken.reduce((sum, count) => sum + count),
    16 - 3,
  )
  assert.equal(followedOf(followed, '10.0.1.1', 1, 3_599_999), 0)
  assert.equal(followedOf(followed, '10.0.1.1', 1, 3_600_002), 1)
})

/** A socket, bound. */
async function bound(...place) {
  const socket = createSocket('udp4').bind(...place)
  await new Promise((resolve, reject) => {
    socket.once('listening', resolve)
    socket.once('error', reject)
  })
  return socket
}

/** A port at which nobody listens. */
async function freePort() {
  const socket = await bound(0, '127.0.0.1')
  const { port } = socket.address()
  await new Promise((resolve) => socket.close(resolve))
  return port
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

test('hostile answers make nobody call others, or more than a bound', async (t) => {
  const port = await freePort()
  const found = []
  const failures = []
  let interfaces = { eth0: [inet('10.0.0.7/24')] }
  let looks = 0
  const discovery = await Discovery.start({
    network: NETWORK,
    port,
    addresses: () => [address('127.0.0.1', 1)],
    found: (one) => found.push(one),
    failed: (reason) => failures.push(reason),
    interfaces: () => {
      looks += 1
      return interfaces
    },
  })
  const attacker = await bound(0, '127.0.0.1')
  t.after(() => {
    attacker.close()
    discovery.close()
  })
  const send = (bytes) =>
    new Promise((resolve) => attacker.send(bytes, port, '127.0.0.1', () => resolve()))
  const service = serviceName(NETWORK)
  const answer = (texts, name = `x.${service}`) =>
    dnsPacket.encode({
      type: 'response',
      answers: [{ name: service, type: 'PTR', ttl: 1, data: name }],
      additionals: [{ name, type: 'TXT', ttl: 1, data: texts.map((text) => `dnsaddr=${text}`) }],
    })
  // The source of this is on no subnet of ours, as a forged one from elsewhere.
  while (looks === 0) {
    await send(answer([address('127.0.0.1', 80)]))
    await pause(10)
  }
  await pause(50)
  assert.deepEqual(found, [])
  interfaces = { lo: [inet('127.0.0.1/8')] }
  await send(Buffer.from('no packet at all'))
  await send(Buffer.alloc(0))
  await send(answer([address('192.0.2.9', 80), 'nonsense', address('127.0.0.1', 1)]))
  await send(answer([address('127.0.0.1', 2)], `x.${serviceName('b'.repeat(52))}`))
  for (let at = 0; at < 1_000; at += 1) {
    await send(answer([address('127.0.0.1', 1_000 + at)]))
    // Few enough at a time for the buffer of the socket.
    if (at % 20 === 0) await pause(5)
  }
  await pause(100)
  discovery.close()
  assert.deepEqual(failures, [])
  assert.deepEqual(found, [address('127.0.0.1', 1_000), address('127.0.0.1', 1_001)])
})

// The socket and the call that binds it both tell of the error.
test('a port that cannot be bound is told once', async (t) => {
  const other = await bound(0)
  t.after(() => other.close())
  const failures = []
  const discovery = await Discovery.start({
    network: NETWORK,
    port: other.address().port,
    addresses: () => [],
    found: () => assert.fail('nobody is there'),
    failed: (reason) => failures.push(reason),
  })
  await pause(100)
  discovery.close()
  assert.equal(failures.length, 1, failures.join())
  assert.match(failures[0], /EADDRINUSE/)
})
