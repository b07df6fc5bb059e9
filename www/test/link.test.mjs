// The join link: what goes in comes out, and every broken text is refused with words.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  decodeLink,
  decodePayload,
  encodeLink,
  encodePayload,
} from '../node_modules/.cache/test/link.js'

const network = 'abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsa'
const peer = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const address = `/ip4/127.0.0.1/tcp/4010/ws/p2p/${peer}`
const link = { network, addresses: [address], name: 'North clinic' }

const payloadOf = (body) => Buffer.from(JSON.stringify(body)).toString('base64url')

test('a link survives the round trip, with and without a name', () => {
  for (const name of ['North clinic', 'Gr\u00fc\u00dfe \u4e16\u754c', null]) {
    const text = encodeLink('http://127.0.0.1:4010/', { ...link, name })
    assert.match(text, /^http:\/\/127\.0\.0\.1:4010\/#join=[A-Za-z0-9_-]+$/)
    assert.deepEqual(decodeLink(text), { ...link, name })
  }
})

test('a bare fragment and a bare payload are links, too', () => {
  const payload = encodePayload(link)
  for (const text of [payload, `#join=${payload}`, `join=${payload}`, `  ${payload}\n`]) {
    assert.deepEqual(decodeLink(text), link)
  }
})

test('addresses of every accepted form are read, and named once', () => {
  const addresses = [
    address,
    '/ip4/127.0.0.1/tcp/4010/ws',
    `/ip6/::1/tcp/4010/ws/p2p/${peer}`,
    `/dns4/mesh.example.org/tcp/443/tls/ws/p2p/${peer}`,
    `/dns/mesh.example.org/tcp/443/wss/p2p/${peer}`,
  ]
  const twice = payloadOf({ v: 1, n: network, a: [...addresses, address] })
  assert.deepEqual(decodePayload(twice).addresses, addresses)
})

const refused = [
  ['an empty payload', '', 'link-malformed', /empty/],
  ['a foreign character', `${encodePayload(link)}!`, 'link-malformed', /character \d+/],
  ['a cut link', encodePayload(link).slice(0, -9), 'link-malformed', /cut or changed/],
  ['no object', payloadOf([1]), 'link-malformed', /object/],
  [
    'bytes that are not UTF-8',
    Buffer.from([0xff, 0xfe, 0xfd]).toString('base64url'),
    'link-malformed',
    /cut/,
  ],
  ['another version', payloadOf({ v: 2, n: network, a: [address] }), 'link-version', /version 2/],
  ['no version', payloadOf({ n: network, a: [address] }), 'link-version', /unknown/],
  ['an unknown part', payloadOf({ v: 1, n: network, a: [address], x: 1 }), 'link-malformed', /"x"/],
  [
    'a short network id',
    payloadOf({ v: 1, n: 'abc', a: [address] }),
    'link-malformed',
    /network id/,
  ],
  [
    'a network id with stray bits',
    payloadOf({ v: 1, n: `${network.slice(0, -1)}b`, a: [address] }),
    'link-malformed',
    /network id/,
  ],
  ['no address', payloadOf({ v: 1, n: network, a: [] }), 'link-malformed', /no address/],
  [
    'too many addresses',
    payloadOf({ v: 1, n: network, a: Array(33).fill(address) }),
    'link-malformed',
    /33/,
  ],
  [
    'a TCP address',
    payloadOf({ v: 1, n: network, a: [address.replace('/ws', '')] }),
    'link-malformed',
    /address 1/,
  ],
  [
    'port 0',
    payloadOf({ v: 1, n: network, a: [address.replace('4010', '0')] }),
    'link-malformed',
    /address 1/,
  ],
  [
    'octet 256',
    payloadOf({ v: 1, n: network, a: [address.replace('127', '256')] }),
    'link-malformed',
    /address 1/,
  ],
  ['a number as address', payloadOf({ v: 1, n: network, a: [7] }), 'link-malformed', /address 1/],
  [
    'a name that moves the cursor',
    payloadOf({ v: 1, n: network, a: [address], m: 'a\u001b[2J' }),
    'link-malformed',
    /name/,
  ],
  [
    'a name of 65',
    payloadOf({ v: 1, n: network, a: [address], m: 'x'.repeat(65) }),
    'link-malformed',
    /name/,
  ],
  ['a huge payload', 'A'.repeat(8193), 'link-malformed', /8193/],
]

for (const [what, payload, code, words] of refused) {
  test(`${what} is refused with ${code}`, () => {
    assert.throws(
      () => decodePayload(payload),
      (error) =>
        error.problem.code === code &&
        words.test(error.problem.message) &&
        error.problem.hint !== '',
    )
  })
}

test('a link without a join part says so', () => {
  for (const text of ['http://127.0.0.1:4010/', 'http://127.0.0.1:4010/#token=abc']) {
    assert.throws(
      () => decodeLink(text),
      (error) => error.problem.code === 'link-missing',
    )
  }
})

test('no text makes decoding do anything but answer or refuse', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`SEED=${seed}`)
  const random = mulberry32(seed)
  const good = encodePayload(link)
  for (let turn = 0; turn < 2000; turn += 1) {
    const chars = [...good]
    const edits = 1 + Math.floor(random() * 4)
    for (let edit = 0; edit < edits; edit += 1) {
      chars[Math.floor(random() * chars.length)] = String.fromCharCode(
        32 + Math.floor(random() * 400),
      )
    }
    try {
      const read = decodePayload(chars.join(''))
      assert.ok(read.addresses.length > 0 && read.network.length === 52)
    } catch (error) {
      assert.match(error.problem?.code ?? String(error), /^link-/)
    }
  }
})

function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
