/**
 * Anonymous questions between five processes: the relays log everything they handle, and neither of
 * the three logs holds both who asked and what. A cell is also read by code that shares nothing with
 * the core's.
 */
import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, identities, json, run, scratch, TestNode, until } from './cli.mjs'

const MEMBERS = 5
/** Who asks; the others are the committee. */
const ASKER = 4
/** Whatever takes longer than this is stuck. */
const TIMEOUT_MS = 120_000
/** Questions that are timed: well within what one peer may send. */
const TIMED = 12
const CELL_BYTES = 5_167
const REPLY_BYTES = 65_536

/** Running members of a new network, all connected, that log what they relay. */
async function founded() {
  const homes = await identities(MEMBERS)
  const ids = homes.map(({ id }) => id)
  const balances = ids.flatMap((id) => ['--balance', `${id}=100`])
  const [{ home }] = homes
  const committee = ids.slice(0, ASKER).join(',')
  await data(['init', '--home', home, '--committee', committee, ...balances], { cwd: home })
  const options = { env: { SYNAPTIC_RELAYING: 'log' } }
  const nodes = [await TestNode.start(home, [], options)]
  for (const { home } of homes.slice(1)) {
    await data(['init', '--home', home, '--join', nodes[0].ready.join], { cwd: home })
    nodes.push(await TestNode.start(home, [], options))
  }
  for (const node of nodes) {
    const all = async () => (await node.api('status')).peers.length === MEMBERS - 1
    await until(all, 'connections', TIMEOUT_MS)
  }
  return { homes, ids, nodes }
}

/** What a node logged of cells and replies since the mark. */
const logged = (node, from) =>
  node.events.slice(from).flatMap(({ event, data }) => (event === 'cell' ? [data] : []))

/** The 32 bytes of a node id, in hexadecimal. */
function idBytes(id) {
  const bits = [...id].map((one) => 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(one))
  const text = bits.map((five) => five.toString(2).padStart(5, '0')).join('')
  return text
    .match(/.{8}/g)
    .map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, '0'))
    .join('')
}

/** Whether a whole log names a node, as text or in any bytes it could decrypt. */
const names = (log, id) => {
  const all = JSON.stringify(log)
  return all.includes(id) || all.includes(idBytes(id))
}

const holdsText = (log, text) => JSON.stringify(log).includes(Buffer.from(text).toString('hex'))

function median(list) {
  return list.toSorted((one, other) => one - other)[Math.floor(list.length / 2)]
}

test('a proof comes over three relays, and no log holds both ends', {
  timeout: 600_000,
}, async () => {
  const { homes, ids, nodes } = await founded()
  const asker = nodes[ASKER]
  const { item } = await nodes[1].data('wallet', 'transfer', ids[0], '1')
  const open = join(scratch(), 'open')
  const prove = (at, file, ...more) =>
    json(['finality', 'prove', item, '--output', file, ...more, '--home', homes[at].home])
  const everywhere = [0, 1, 2, 3].map((at) =>
    until(
      async () => {
        return (await prove(at, `${open}-${at}`, '--force')).ok
      },
      'a proof',
      TIMEOUT_MS,
    ),
  )
  await Promise.all(everywhere)

  const marks = nodes.map((node) => node.events.length)
  const file = join(scratch(), 'proof')
  const asked = await prove(ASKER, file, '--anonymous')
  assert.ok(asked.ok, JSON.stringify(asked))
  const { relays, exits, ms, bytes } = asked.data
  assert.deepEqual([relays, exits], [3, 1])
  const proof = readFileSync(file)
  assert.equal(proof.length, bytes)
  const checked = await data(['finality', 'verify', file, '--home', homes[ASKER].home])
  assert.equal(checked.item, item)
  console.log(`a proof of ${bytes} bytes over ${relays} relays: ${ms} ms`)

  // Roles, as the logs tell them: a cell goes on twice and is answered once.
  await until(
    () => {
      const back = nodes.flatMap((node, at) =>
        logged(node, marks[at]).filter((one) => one.way === 'back'),
      )
      return back.length === 2
    },
    'the whole log',
    TIMEOUT_MS,
  )
  const logs = nodes.map((node, at) => logged(node, marks[at]))
  const who = (way, from) =>
    logs.findIndex((log) => log.some((one) => one.way === way && one.from === from))
  const guard = who('forward', ids[ASKER])
  const middle = who('forward', ids[guard])
  const exit = who('exit', ids[middle])
  assert.equal(new Set([guard, middle, exit, ASKER]).size, 4)
  assert.deepEqual(logs[ASKER], [], 'who asks handles no cell of others')
  const spare = [0, 1, 2, 3].find((at) => ![guard, middle, exit].includes(at))
  assert.deepEqual(logs[spare], [], 'who is no relay sees nothing')

  for (const [at, knowsAsker, knowsExit, knowsItem] of [
    [guard, true, false, false],
    [middle, false, true, false],
    [exit, false, false, true],
  ]) {
    assert.equal(names(logs[at], ids[ASKER]), knowsAsker, `the asker at ${at}`)
    if (at !== exit) assert.equal(names(logs[at], ids[exit]), knowsExit, `the exit at ${at}`)
    assert.equal(holdsText(logs[at], item), knowsItem, `the question at ${at}`)
    const inside = proof.subarray(0, 64).toString('hex')
    assert.ok(!JSON.stringify(logs[at]).includes(inside), `the answer at ${at}`)
    for (const one of logs[at]) {
      const size = one.way === 'back' ? REPLY_BYTES : CELL_BYTES
      assert.equal(one.received.length, 2 * size, `${one.way} at ${at}`)
      if (one.way !== 'exit') assert.equal(one.sent.length, 2 * size, `${one.way} at ${at}`)
    }
  }
  assert.ok(!names(logs[exit], ids[guard]) && names(logs[exit], ids[middle]))

  await resolves(nodes, homes, ids)
  await timed(asker, item)
  await fails(nodes, homes, item, guard)
  for (const node of nodes) await node.stop()
})

/** Two exits agree about a name. */
async function resolves(nodes, homes, ids) {
  await nodes[1].data('name', 'register', 'mesh', '--address', '/dns/example.org/tcp/1/ws')
  const owner = async (node) => (await node.data('name', 'resolve', 'mesh')).owner === ids[1]
  for (const node of nodes) await until(() => owner(node), 'the name', TIMEOUT_MS)
  const name = await nodes[ASKER].data('name', 'resolve', 'mesh', '--anonymous')
  const { owner: found, addresses, relays, exits, mine } = name
  assert.deepEqual(
    [found, addresses, relays, exits, mine],
    [ids[1], ['/dns/example.org/tcp/1/ws'], 3, 2, false],
  )
  const words = await run(['name', 'resolve', 'mesh', '--anonymous', '--home', homes[ASKER].home])
  assert.match(words.stdout, /2 that answered alike, in \d+ ms \(experimental\); nothing proves it/)
  const invalid = await json([
    'name',
    'resolve',
    'No Name',
    '--anonymous',
    '--home',
    homes[ASKER].home,
  ])
  assert.equal(invalid.error.code, 'name-invalid')
}

/** How long a question takes, by the API of a node that runs. */
async function timed(asker, item) {
  const times = []
  for (let at = 0; at < TIMED; at += 1) {
    const started = performance.now()
    await asker.api('anonymous.prove', { item })
    times.push(performance.now() - started)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  const middle = Math.round(median(times))
  console.log(`a proof over three relays on loopback: median ${middle} ms of ${TIMED}, bound 150`)
  assert.ok(middle <= 150, `${times.map(Math.round)}`)
}

/** A relay that is gone is gone round; with two left nothing can be asked. */
async function fails(nodes, homes, item, guard) {
  await nodes[guard].kill()
  const asker = nodes[ASKER]
  const left = async (count) => (await asker.api('status')).peers.length === count
  await until(() => left(3), 'one less', TIMEOUT_MS)
  const { relays } = await asker.api('anonymous.prove', { item })
  assert.equal(relays, 3)
  const other = [0, 1, 2, 3].find((at) => at !== guard)
  await nodes[other].kill()
  await until(() => left(2), 'two less', TIMEOUT_MS)
  const refused = await json([
    'name',
    'resolve',
    'mesh',
    '--anonymous',
    '--home',
    homes[ASKER].home,
  ])
  assert.deepEqual([refused.code, refused.error.code], [1, 'onion-too-few'])
  assert.match(refused.error.message, /2 are connected/)
}

// ---- the same format, read by other code --------------------------------------------------------

const VECTOR = JSON.parse(readFileSync(new URL('../vectors/onion.json', import.meta.url), 'utf8'))
const KEM_BYTES = 1_120
const SLOT_BYTES = 1 + 4 + 32 + 16 + KEM_BYTES
const HEADER_BYTES = 3 * SLOT_BYTES

const hmac = (key, ...parts) =>
  parts.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest()

/** LabeledExtract and LabeledExpand of RFC 9180 for X-Wing, HKDF-SHA256, ChaCha20-Poly1305. */
const SUITE = Buffer.concat([Buffer.from('HPKE'), Buffer.from('647a00010003', 'hex')])
const extract = (salt, label, ikm) => hmac(salt, 'HPKE-v1', SUITE, label, ikm)
function expand(key, label, info, bytes) {
  const head = Buffer.from([bytes >> 8, bytes & 255])
  let [last, out] = [Buffer.alloc(0), Buffer.alloc(0)]
  for (let at = 1; out.length < bytes; at += 1) {
    last = hmac(key, last, head, 'HPKE-v1', SUITE, label, info, Buffer.from([at]))
    out = Buffer.concat([out, last])
  }
  return out.subarray(0, bytes)
}

/** DAG-CBOR of `[domain, network, hop]`. */
function infoOf(network, hop) {
  const domain = Buffer.from('synaptic-mesh 2026 onion v1')
  const bytes = (value) => Buffer.concat([Buffer.from([0x58, value.length]), value])
  const text = Buffer.concat([Buffer.from([0x78, domain.length]), domain])
  return Buffer.concat([Buffer.from([0x83]), text, bytes(network), bytes(hop)])
}

/** What a hop exports, by name and length. */
function exporter(shared, info) {
  const none = Buffer.alloc(0)
  const hashes = [extract(none, 'psk_id_hash', none), extract(none, 'info_hash', info)]
  const secret = extract(shared, 'secret', none)
  const exported = expand(secret, 'exp', Buffer.concat([Buffer.from([0]), ...hashes]), 32)
  return (name, bytes) => expand(exported, 'sec', name, bytes)
}

const NONCE = Buffer.alloc(12)
function openWith(key, aad, tag, sealed) {
  const cipher = createDecipheriv('chacha20-poly1305', key, NONCE, { authTagLength: 16 })
  cipher.setAAD(aad).setAuthTag(tag)
  return Buffer.concat([cipher.update(sealed), cipher.final()])
}
function sealWith(key, plain, nonce = NONCE) {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  return { sealed, tag: cipher.getAuthTag() }
}
function padded(bytes, size) {
  const plain = Buffer.alloc(size)
  plain.writeUInt16BE(bytes.length)
  bytes.copy(plain, 2)
  return plain
}

test('other code peels the cell of the vectors and makes the same reply', () => {
  const hex = (text) => Buffer.from(text, 'hex')
  const network = hex(VECTOR.network)
  const hops = VECTOR.hops.map(hex)
  const exports = hops.map((hop, at) => exporter(hex(VECTOR.shared[at]), infoOf(network, hop)))
  let cell = hex(VECTOR.cell)
  for (const [at, exported] of exports.entries()) {
    assert.equal(cell.length, CELL_BYTES)
    const [ciphertext, tag, sealed] = [
      cell.subarray(0, KEM_BYTES),
      cell.subarray(KEM_BYTES, KEM_BYTES + 16),
      cell.subarray(KEM_BYTES + 16),
    ]
    const plain = openWith(exported('cell', 32), ciphertext, tag, sealed)
    const slot = plain.subarray(0, SLOT_BYTES)
    assert.equal(slot.readUInt32BE(1), VECTOR.period)
    const question = plain.subarray(HEADER_BYTES)
    if (at === 2) {
      assert.equal(slot[0], 2)
      const length = question.readUInt16BE()
      assert.equal(question.subarray(2, 2 + length).toString('hex'), VECTOR.question)
      break
    }
    assert.deepEqual([slot[0], slot.subarray(5, 37)], [1, hops[at + 1]])
    const rest = plain.subarray(SLOT_BYTES, HEADER_BYTES)
    // The slot ends with what the next cell begins with: ciphertext and tag.
    cell = Buffer.concat([slot.subarray(37), rest, exported('filler', SLOT_BYTES), question])
  }
  const nonce = hex(VECTOR.nonce)
  const answer = padded(hex(VECTOR.answer), REPLY_BYTES - 16 - 12)
  const { sealed, tag } = sealWith(exports[2]('answer', 32), answer, nonce)
  let reply = Buffer.concat([sealed, tag, nonce])
  for (const exported of [exports[1], exports[0]])
    reply = sealWith(exported('back', 32), reply).sealed
  assert.equal(createHash('sha256').update(reply).digest('hex'), VECTOR.reply_sha256)
})
