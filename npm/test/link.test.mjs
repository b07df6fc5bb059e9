// The join link: what goes in comes out, and every broken text is refused with words.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJoinLink, encodeJoinLink } from '../dist/link.js'

const NETWORK = `${'abcdefgh234567'.repeat(4).slice(0, 51)}a`
const PEER = '12D3KooWGzbhnEVvPCdiHPJVdyQ5LpvXRMBEnUg9yVxxvdCQyXgS'
const ADDRESS = `/ip4/127.0.0.1/tcp/7411/ws/p2p/${PEER}`
const LINK = { network: NETWORK, addresses: [ADDRESS], meshName: 'five clinics' }
const TEXT = encodeJoinLink('http://127.0.0.1:7410', LINK)

const coded = (bytes) => `http://127.0.0.1:7410/#join=${Buffer.from(bytes).toString('base64url')}`
/** A link whose parts are right but for those given. */
const linkOf = (parts) => coded(JSON.stringify({ v: 1, n: NETWORK, a: [ADDRESS], ...parts }))

test('a link comes back as it went out', () => {
  for (const meshName of ['five clinics', 'Gr\u00fc\u00dfe \u4e16\u754c', undefined]) {
    const text = encodeJoinLink('http://127.0.0.1:7410/', { ...LINK, meshName })
    assert.match(text, /^http:\/\/127\.0\.0\.1:7410\/#join=[\w-]+$/)
    assert.deepEqual(decodeJoinLink(text), { ...LINK, meshName })
  }
})

test('a genesis travels along, up to its bound', () => {
  for (const bytes of [1, 1_500, 16_384]) {
    const genesis = Uint8Array.from({ length: bytes }, (_, at) => at % 251)
    const text = encodeJoinLink('http://127.0.0.1:7410', { ...LINK, genesis })
    assert.deepEqual(decodeJoinLink(text), { ...LINK, genesis })
  }
})

test('an invite travels along with the largest genesis and the longest addresses', () => {
  const genesis = new Uint8Array(16_384).fill(7)
  const invite = new Uint8Array(6_144).fill(9)
  const name = `${'a'.repeat(63)}.`.repeat(3)
  const addresses = Array.from({ length: 16 }, (_, at) => `/dns/${name}${at}/tcp/1/ws`)
  const text = encodeJoinLink('http://127.0.0.1:7410', { ...LINK, addresses, genesis, invite })
  assert.deepEqual(decodeJoinLink(text), { ...LINK, addresses, genesis, invite })
  // Alone it would make an open network out of one that takes members only.
  const code = Buffer.from(invite).toString('base64url')
  assert.throws(() => decodeJoinLink(linkOf({ i: code })), {
    code: 'bad-link',
    message: /an invite and no genesis/,
  })
  const g = Buffer.from(genesis).toString('base64url')
  assert.deepEqual(decodeJoinLink(linkOf({ i: code, g })).invite, invite)
  const long = new Uint8Array(6_145)
  assert.throws(() => decodeJoinLink(linkOf({ i: Buffer.from(long).toString('base64url') })), {
    code: 'bad-link',
    message: /its invite is not/,
  })
})

test('a fragment alone is a link, and so is one with space around it', () => {
  for (const text of [TEXT.slice(TEXT.indexOf('#')), `  ${TEXT}\n`]) {
    assert.deepEqual(decodeJoinLink(text), LINK)
  }
})

test('addresses of every form that the core dials are read, and named once', () => {
  const addresses = [
    ADDRESS,
    '/ip4/127.0.0.1/tcp/7411/ws',
    `/ip6/::1/tcp/7411/ws/p2p/${PEER}`,
    '/dns/clinic_1/tcp/65535/ws',
    `/dns4/mesh.example.org/tcp/443/tls/ws/p2p/${PEER}`,
    `/dns6/mesh.example.org/tcp/443/wss/p2p/${PEER}`,
  ]
  assert.deepEqual(decodeJoinLink(linkOf({ a: [...addresses, ADDRESS] })).addresses, addresses)
})

const BAD = [
  ['empty', '', /no "#join="/],
  ['another page', 'http://example.org/', /no "#join="/],
  ['a token', 'http://127.0.0.1:7410/#token=abc', /no "#join="/],
  ['nothing after the mark', 'http://127.0.0.1:7410/#join=', /no "#join="/],
  ['a foreign character', `${TEXT}!`, /character \d+ /],
  ['cut off', TEXT.slice(0, -9), /damaged or cut off/],
  ['too long', `http://127.0.0.1/#join=${'a'.repeat(51_300)}`, /longer than 51200/],
  ['bytes that are not UTF-8', coded([0xff, 0xfe, 0xfd]), /damaged/],
  ['a list', coded('[1]'), /no link data/],
  ['null', coded('null'), /no link data/],
  ['another version', linkOf({ v: 2 }), /version 2/],
  ['no version', linkOf({ v: undefined }), /version undefined/],
  ['an unknown part', linkOf({ x: 1 }), /unknown part "x"/],
  ['a short network', linkOf({ n: 'abc' }), /network id/],
  ['a network with stray bits', linkOf({ n: `${NETWORK.slice(0, -1)}b` }), /network id/],
  ['no addresses', linkOf({ a: [] }), /no address/],
  ['too many addresses', linkOf({ a: Array(17).fill(ADDRESS) }), /17 addresses/],
  ['an address that is a number', linkOf({ a: [ADDRESS, 7] }), /address 2/],
  ['an address of another kind', linkOf({ a: ['/ip4/1.2.3.4/udp/1/quic'] }), /address 1/],
  ['an address of TCP alone', linkOf({ a: ['/ip4/1.2.3.4/tcp/1'] }), /address 1/],
  ['a longer address', linkOf({ a: [`/dns/${'a'.repeat(250)}/tcp/1/ws`] }), /address 1/],
  ['port 0', linkOf({ a: [ADDRESS.replace('7411', '0')] }), /address 1/],
  ['port 65536', linkOf({ a: [ADDRESS.replace('7411', '65536')] }), /address 1/],
  ['octet 256', linkOf({ a: [ADDRESS.replace('127', '256')] }), /address 1/],
  ['an address with more behind it', linkOf({ a: [`${ADDRESS}/x`] }), /address 1/],
  ['a name with a line break', linkOf({ m: 'a\nb' }), /its name/],
  ['a name that moves the cursor', linkOf({ m: 'a\u001b[2J' }), /its name/],
  ['an empty name', linkOf({ m: '' }), /its name/],
  ['a genesis that is no text', linkOf({ g: 7 }), /its genesis/],
  ['an empty genesis', linkOf({ g: '' }), /its genesis/],
  ['a genesis in another alphabet', linkOf({ g: 'a+/=' }), /its genesis/],
  ['a genesis with stray bits', linkOf({ g: 'ab' }), /its genesis/],
  ['a genesis of 16385 bytes', linkOf({ g: 'a'.repeat(21_846) }), /its genesis/],
  ['a name of 65', linkOf({ m: 'x'.repeat(65) }), /its name/],
]

for (const [what, text, words] of BAD) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => decodeJoinLink(text),
      ({ code, message, hint }) =>
        code === 'bad-link' &&
        message.startsWith('this is not a join link: ') &&
        words.test(message) &&
        hint !== '',
    )
  })
}

test('no text makes decoding do anything but answer or refuse', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`SEED=${seed}`)
  const random = mulberry32(seed)
  for (let turn = 0; turn < 2_000; turn += 1) {
    const characters = [...TEXT]
    const edits = 1 + Math.floor(random() * 4)
    for (let edit = 0; edit < edits; edit += 1) {
      const place = Math.floor(random() * characters.length)
      characters[place] = String.fromCharCode(32 + Math.floor(random() * 400))
    }
    try {
      const read = decodeJoinLink(characters.join(''))
      assert.ok(read.addresses.length > 0 && read.network.length === 52)
    } catch (error) {
      assert.equal(error.code, 'bad-link', String(error))
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
