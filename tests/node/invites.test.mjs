// Permissioned networks: who is let in, who is not and hears why, and that no door stands open.
import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { data, identities, json, PACKAGE, run, scratch, start, TestNode, until } from './cli.mjs'

const { createNode, decodeJoinLink, encodeJoinLink } = await import(
  pathToFileURL(join(PACKAGE, 'node.mjs')).href
)

/** A running node that may invite into a network of its own. */
async function founder(...args) {
  const place = scratch()
  await data(['init', '--permissioned', ...args, '--home', place], { cwd: place })
  return TestNode.start(place)
}

/** A node that `join LINK` started in a new home, or in this one. */
async function joined(link, place = scratch()) {
  const ports = ['--port', '0', '--dashboard-port', '0']
  const child = start(['join', link, '--home', place, '--json', ...ports], { cwd: place })
  const node = new TestNode(child, place)
  node.ready = (await node.event('ready')).data
  return node
}

/** Why `join LINK` fails, and with which exit code. */
async function refused(link, place = join(scratch(), 'home')) {
  const options = { cwd: scratch() }
  const ports = ['--port', '0', '--dashboard-port', '0']
  const { code, error } = await json(['join', link, '--home', place, ...ports], options)
  return [code, error?.code, error]
}

const peersOf = async (node) => (await node.api('status')).peers.map(({ id }) => id).sort()
const sees = (node, id) => until(async () => (await peersOf(node)).includes(id), `to see ${id}`)
const countersOf = async (node) => (await node.api('status')).counters
const edited = (link, change) => {
  const { origin } = new URL(link)
  return encodeJoinLink(origin, { ...decodeJoinLink(link), ...change })
}

test('an invite lets one in, for good; the plain link and a used invite do not', async () => {
  const first = await founder()
  const [code, why, error] = await refused(first.ready.join)
  assert.deepEqual([code, why], [6, 'uninvited'])
  assert.match(error.message, /by invite only.*invite create/)
  const made = await first.data('invite', 'create')
  assert.equal(made.uses, 1)
  assert.ok(Math.abs(made.untilMs - Date.now() - 7 * 86_400_000) < 60_000, 'a week')
  assert.equal(decodeJoinLink(first.ready.join).invite, undefined, 'links of others have none')

  const second = await joined(made.link)
  await sees(first, second.ready.nodeId)
  assert.equal(
    statSync(join(second.home, 'networks', second.ready.network, 'invite.cbor')).mode & 0o77,
    0,
  )
  const place = join(scratch(), 'home')
  assert.deepEqual((await refused(made.link, place)).slice(0, 2), [6, 'invite-used'])
  assert.ok(!existsSync(place), 'who reached nobody leaves nothing')
  await first.event('warning', ({ code }) => code === 'stranger-refused')
  assert.ok((await countersOf(first))['invite-used'] >= 1)
  // At a member that did not let anybody in, too: it has it from the history.
  const { addresses } = second.ready
  assert.deepEqual((await refused(edited(made.link, { addresses }))).slice(0, 2), [
    6,
    'invite-used',
  ])

  const { invites, inviters } = await second.data('invite', 'list')
  assert.deepEqual(inviters, [first.ready.nodeId])
  assert.deepEqual(
    invites.map(({ id, state, holders }) => [id, state, holders]),
    [[made.id, 'used', [second.ready.nodeId]]],
  )
  const own = await json(['invite', 'create', '--home', second.home], { cwd: second.home })
  assert.deepEqual([own.code, own.error.code], [6, 'not-inviter'])

  await second.stop()
  const again = await TestNode.start(second.home)
  await sees(first, again.ready.nodeId)
  // And both have the whole history, not only the connection.
  await until(
    async () => (await again.api('status')).vertices === (await first.api('status')).vertices,
    'to have the same history',
  )
  await again.stop()
  await first.stop()
})

test('a member lets others in by an invite while the inviter is away', async () => {
  const first = await founder()
  const made = await first.data('invite', 'create', '--uses', '2')
  const second = await joined(made.link)
  await sees(first, second.ready.nodeId)
  await first.stop()
  const { addresses } = second.ready
  const third = await joined(edited(made.link, { addresses }))
  await sees(second, third.ready.nodeId)
  assert.deepEqual((await refused(edited(made.link, { addresses }))).slice(0, 2), [
    6,
    'invite-used',
  ])
  // The inviter learns of it from the history.
  const back = await TestNode.start(first.home)
  await sees(third, back.ready.nodeId)
  const held = async () => (await back.api('invite.list')).invites[0].holders.length
  await until(async () => (await held()) === 2, 'to hear who came')
  for (const node of [second, third, back]) await node.stop()
})

test('invites that ran out, were taken back, altered, or are of others are refused', async () => {
  const first = await founder()
  const short = await first.api('invite.create', { lastsMs: 5_000 })
  const back = await first.data('invite', 'create')
  assert.equal((await first.data('invite', 'revoke', back.id.slice(0, 12))).id, back.id)
  const good = await first.data('invite', 'create')
  const [theirs, mine] = await identities(2)
  const bound = await first.data('invite', 'create', '--for', mine.id)
  const other = await founder()
  const foreign = decodeJoinLink((await other.data('invite', 'create')).link).invite
  const altered = Uint8Array.from(decodeJoinLink(good.link).invite)
  altered[altered.length - 700] ^= 1
  const cases = [
    [short.link, 'invite-expired'],
    [back.link, 'invite-revoked'],
    [edited(good.link, { invite: altered }), 'invite-altered'],
    [edited(good.link, { invite: foreign }), 'invite-foreign'],
    [edited(good.link, { invite: Uint8Array.of(1, 2, 3) }), 'invite-malformed'],
  ]
  await until(() => Date.now() > short.untilMs, 'the short one to run out')
  for (const [link, code] of cases) {
    assert.deepEqual((await refused(link)).slice(0, 2), [6, code], code)
  }
  assert.deepEqual((await refused(bound.link, theirs.home)).slice(0, 2), [6, 'invite-holder'])
  assert.deepEqual(await peersOf(first), [])
  const states = (await first.data('invite', 'list')).invites.map(({ id, state }) => [id, state])
  assert.deepEqual(new Map(states).get(back.id), 'revoked')
  assert.deepEqual(new Map(states).get(short.id), 'expired')
  assert.match(
    (await run(['invite', 'list', '--home', first.home], { cwd: first.home })).stdout,
    /revoked/,
  )
  // Controls: the invite itself, and the one that is for that node.
  const one = await joined(good.link)
  const two = await joined(bound.link, mine.home)
  await sees(first, one.ready.nodeId)
  await sees(first, mine.id)
  for (const node of [one, two, first, other]) await node.stop()
})

test('who is listed when the network is made needs no invite', async () => {
  const [listed, inviter] = await identities(2)
  const first = await founder('--allow', listed.id, '--inviter', inviter.id)
  const second = await joined(first.ready.join, listed.home)
  const third = await joined(first.ready.join, inviter.home)
  await sees(first, listed.id)
  await sees(second, inviter.id)
  const made = await third.data('invite', 'create')
  const fourth = await joined(made.link)
  await sees(first, fourth.ready.nodeId)
  for (const node of [first, second, third, fourth]) await node.stop()
})

/** A node that knows network and addresses and nothing of the door; and what it gets to. */
async function intruder(member) {
  const { network, addresses } = member.ready
  const node = await createNode({ network, mdns: 'off' })
  const [address] = addresses
  const called = await node.connect(address).then(
    () => 'connected',
    ({ code }) => code,
  )
  const mine = await member.api('peer.connect', { address: node.addresses[0] }).then(
    () => 'connected',
    () => 'refused',
  )
  const { peers, vertices } = await node.status()
  const circuit = `${address}/p2p-circuit/p2p/${address.split('/').at(-1)}`
  const relayed = await node.connect(circuit).then(
    () => 'connected',
    ({ code }) => code,
  )
  const asked = await node.anonymous.name('somebody.dark').catch(({ code }) => code)
  await node.stop()
  return { called, mine, peers: peers.length, vertices, relayed, asked }
}

test('a program that ignores the rule reaches no protocol; in an open network it does', async () => {
  const first = await founder()
  const before = await countersOf(first)
  const got = await intruder(first)
  assert.equal(got.called, 'unreachable')
  assert.equal(got.mine, 'refused')
  assert.deepEqual([got.peers, got.vertices], [0, 1], 'its own identity and nothing else')
  assert.equal(got.relayed, 'unreachable')
  const after = await countersOf(first)
  assert.ok((after['net-refused'] ?? 0) > (before['net-refused'] ?? 0))
  for (const name of Object.keys(after)) assert.doesNotMatch(name, /^(relay-res|peer-)/, name)
  assert.deepEqual(await peersOf(first), [])
  await first.stop()

  const place = scratch()
  await data(['init', '--home', place], { cwd: place })
  const open = await TestNode.start(place)
  const control = await intruder(open)
  assert.equal(control.called, 'connected')
  assert.equal(control.peers, 1)
  assert.ok(control.vertices > 1)
  const invite = await json(['invite', 'create', '--home', place], { cwd: place })
  assert.equal(invite.error.code, 'not-permissioned')
  const second = await joined(open.ready.join)
  await sees(open, second.ready.nodeId)
  for (const node of [open, second]) await node.stop()
})

test('what does not go together is said before anything is made', async () => {
  const place = scratch()
  const code = async (...args) => {
    const { code, error } = await json([...args, '--home', place], { cwd: place })
    return [code, error.code]
  }
  const [{ id }] = await identities(1)
  assert.deepEqual(await code('init', '--allow', id), [2, 'usage'])
  assert.deepEqual(await code('init', '--permissioned', '--network', id), [2, 'usage'])
  assert.deepEqual(await code('init', '--permissioned', '--allow', 'nobody'), [2, 'usage'])
  assert.deepEqual(await code('invite', 'create', '--expires', 'soon'), [2, 'usage'])
  const first = await data(['init', '--permissioned', '--home', place], { cwd: place })
  const again = await data(['init', '--permissioned', '--home', place], { cwd: place })
  assert.equal(again.network, first.network, 'safe to repeat')
  await data(['config', 'set', 'classical', 'allow', '--home', place], { cwd: place })
  const started = await json(['start', '--home', place, '--port', '0'], { cwd: place })
  assert.equal(started.error.code, 'classical-permissioned')
})
