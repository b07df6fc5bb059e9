import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import dnsPacket from 'dns-packet'
import { Discovery, leadsTo, serviceName } from '../dist/host/discovery.js'

const NETWORK = 'a'.repeat(52)
const PEER = '12D3KooWGZaNLKBsHEmz38SLVqerFSCtB2sDVY5q9sevhtf1cgBC'
const address = (host, port) => `/ip4/${host}/tcp/${port}/ws/p2p/${PEER}`

test('members of other networks have another name, which is a label of DNS', () => {
  const name = serviceName(NETWORK)
  assert.match(name, /^_p2p-[0-9a-f]{32}\._udp\.local$/)
  assert.notEqual(name, serviceName('b'.repeat(52)))
})

test('an answer leads to the machine that sent it, and nowhere else', () => {
  for (const [text, machine, leads] of [
    [address('10.0.0.7', 4100), '10.0.0.7', true],
    [address('10.0.0.8', 4100), '10.0.0.7', false],
    [`/ip6/fe80::1/tcp/1/ws/p2p/${PEER}`, 'fe80::1%eth0', true],
    [`/dns4/example.org/tcp/1/ws/p2p/${PEER}`, '10.0.0.7', false],
    ['/ip4/10.0.0.7/tcp/4100/ws', '10.0.0.7', false],
    [`${address('10.0.0.7', 4100)}/p2p-circuit/p2p/${PEER}`, '10.0.0.7', false],
    ['', '10.0.0.7', false],
  ]) {
    assert.equal(leadsTo(text, machine), leads, text)
  }
})

/** A port at which nobody listens. */
async function freePort() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await new Promise((resolve) => socket.once('listening', resolve))
  const { port } = socket.address()
  await new Promise((resolve) => socket.close(resolve))
  return port
}

test('hostile answers make nobody call others, or more than a bound', async () => {
  const port = await freePort()
  const found = []
  const failures = []
  const discovery = await Discovery.start({
    network: NETWORK,
    port,
    addresses: () => [address('127.0.0.1', 1)],
    found: (one) => found.push(one),
    failed: (reason) => failures.push(reason),
  })
  const attacker = createSocket('udp4')
  const send = (bytes) =>
    new Promise((resolve) => attacker.send(bytes, port, '127.0.0.1', () => resolve()))
  const service = serviceName(NETWORK)
  const answer = (texts, name = `x.${service}`) =>
    dnsPacket.encode({
      type: 'response',
      answers: [{ name: service, type: 'PTR', ttl: 1, data: name }],
      additionals: [{ name, type: 'TXT', ttl: 1, data: texts.map((text) => `dnsaddr=${text}`) }],
    })
  await send(Buffer.from('no packet at all'))
  await send(Buffer.alloc(0))
  await send(answer([address('192.0.2.9', 80), 'nonsense', address('127.0.0.1', 1)]))
  await send(answer([address('127.0.0.1', 2)], `x.${serviceName('b'.repeat(52))}`))
  for (let at = 0; at < 1_000; at += 1) {
    await send(answer([address('127.0.0.1', 1_000 + at)]))
    // Few enough at a time for the buffer of the socket.
    if (at % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  attacker.close()
  discovery.close()
  discovery.close()
  assert.deepEqual(failures, [])
  assert.equal(found.length, 256)
  assert.equal(new Set(found).size, 256)
  for (const one of found) assert.match(one, /^\/ip4\/127\.0\.0\.1\/tcp\/1\d{3}\//)
})
