import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJoinLink, encodeJoinLink } from '../dist/link.js'

const NETWORK = `${'abcdefgh234567'.repeat(4).slice(0, 51)}a`
const PEER = '12D3KooWGzbhnEVvPCdiHPJVdyQ5LpvXRMBEnUg9yVxxvdCQyXgS'
const ADDRESS = `/ip4/127.0.0.1/tcp/7411/ws/p2p/${PEER}`
const LINK = { network: NETWORK, addresses: [ADDRESS], meshName: 'five clinics' }

const linkOf = (body) =>
  `http://127.0.0.1:7410/#join=${Buffer.from(JSON.stringify(body)).toString('base64url')}`

test('a link comes back as it went out', () => {
  const text = encodeJoinLink('http://127.0.0.1:7410', LINK)
  assert.match(text, /^http:\/\/127\.0\.0\.1:7410\/#join=[\w-]+$/)
  assert.deepEqual(decodeJoinLink(text), LINK)
})

test('a name is optional', () => {
  const text = encodeJoinLink('http://127.0.0.1:7410', { network: NETWORK, addresses: [ADDRESS] })
  assert.equal(decodeJoinLink(text).meshName, undefined)
})

const BAD = [
  ['empty', ''],
  ['another page', 'http://example.org/'],
  ['a token', 'http://127.0.0.1:7410/#token=abc'],
  ['cut off', encodeJoinLink('http://127.0.0.1:7410', LINK).slice(0, -9)],
  ['too long', `http://127.0.0.1/#join=${'a'.repeat(9_000)}`],
  ['a list', linkOf([])],
  ['null', linkOf(null)],
  ['another version', linkOf({ v: 2, n: NETWORK, a: [ADDRESS] })],
  ['a short network', linkOf({ v: 1, n: 'abc', a: [ADDRESS] })],
  ['no addresses', linkOf({ v: 1, n: NETWORK, a: [] })],
  ['too many addresses', linkOf({ v: 1, n: NETWORK, a: Array(17).fill(ADDRESS) })],
  ['an address that is a number', linkOf({ v: 1, n: NETWORK, a: [7] })],
  ['an address of another kind', linkOf({ v: 1, n: NETWORK, a: ['/ip4/1.2.3.4/udp/1/quic'] })],
  ['an address without a peer', linkOf({ v: 1, n: NETWORK, a: ['/ip4/1.2.3.4/tcp/1/ws'] })],
  ['a name with a line break', linkOf({ v: 1, n: NETWORK, a: [ADDRESS], m: 'a\nb' })],
]

for (const [what, text] of BAD) {
  test(`refused: ${what}`, () => {
    assert.throws(() => decodeJoinLink(text), { code: 'bad-link', message: /not a join link/ })
  })
}
