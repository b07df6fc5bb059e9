/**
 * Processes pay and take names: of a double spend told to two of them at once one payment holds, the
 * same one everywhere, and a registration goes on after its process was killed.
 */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, identities, json, scratch, start, TestNode, until } from './cli.mjs'

const MEMBERS = 4
/** Whatever takes longer than this is stuck. */
const TIMEOUT_MS = 120_000
const CREDIT = 1_000_000

/** Running members of a new network, and a home that is none; each has these credits. */
async function founded(credits) {
  const homes = await identities(MEMBERS + 1)
  const ids = homes.map(({ id }) => id)
  const balances = ids.flatMap((id) => ['--balance', `${id}=${credits}`])
  const [{ home }] = homes
  const committee = ids.slice(0, MEMBERS).join(',')
  await data(['init', '--home', home, '--committee', committee, ...balances], { cwd: home })
  const nodes = [await TestNode.start(home)]
  for (const { home } of homes.slice(1)) {
    await data(['init', '--home', home, '--join', nodes[0].ready.join], { cwd: home })
  }
  for (const { home } of homes.slice(1, MEMBERS)) nodes.push(await TestNode.start(home))
  for (const node of nodes) {
    await until(async () => (await node.api('status')).peers.length >= 3, 'connections')
  }
  return { homes, ids, nodes }
}

/** What each account has, which is the same everywhere; in credits. */
async function balances(nodes, ids) {
  const read = async (node) => {
    const views = await Promise.all(ids.map((account) => node.api('wallet.balance', { account })))
    return views.map(({ balance }) => balance / CREDIT)
  }
  return Promise.all(nodes.map(read))
}

test('processes pay, take names and agree, whoever is killed', { timeout: 600_000 }, async () => {
  const { homes, ids, nodes } = await founded(100)
  const started = performance.now()
  const paid = await nodes[0].data('wallet', 'transfer', ids[1], '12.5', '--memo', 'tea')
  console.log(`a payment by command: final in ${Math.round(performance.now() - started)} ms`)
  assert.equal(paid.state, 'final')
  const agree = async (expected) => {
    const same = async () => {
      const all = await balances(nodes, ids)
      return all.every((list) => list.join() === expected.join())
    }
    await until(same, `balances ${expected}`, TIMEOUT_MS)
  }
  await agree([87.5, 112.5, 100, 100, 100])
  const [moved, ...more] = await nodes[1].data('wallet', 'history')
  assert.deepEqual(more, [])
  assert.deepEqual(
    [moved.kind, moved.from, moved.to, moved.microCredits, moved.memo],
    ['transfer', ids[0], ids[1], 12.5 * CREDIT, 'tea'],
  )

  await holdsEnd(nodes, ids)
  await agree([86.5, 113.5, 100, 100, 100])

  // What cannot be done is refused before anything is written.
  const ledger = async () => (await nodes[2].data('dag', 'stats')).kinds.ledger
  const written = await ledger()
  const refused = async (code, ...words) => {
    const { code: exit, error } = await json([...words, '--home', homes[2].home])
    assert.equal(error?.code, code, words.join(' '))
    // What no moment makes right is a mistake in the words (2); what others decide is not.
    const isOfWords = !['overdraft', 'name-free', 'name-taken'].includes(code)
    assert.equal(exit, isOfWords ? 2 : 1, words.join(' '))
  }
  await refused('overdraft', 'wallet', 'transfer', ids[0], '100.000001')
  await refused('payment-to-oneself', 'wallet', 'transfer', ids[2], '1')
  await refused('usage', 'wallet', 'transfer', ids[0], '-1')
  await refused('bad-node-id', 'wallet', 'transfer', 'nobody', '1')
  await refused('name-invalid', 'name', 'register', 'No Name')
  await refused('name-free', 'name', 'renew', 'mesh')
  await refused('usage', 'name', 'register', 'mesh', '--address', '/dns/a.org/tcp/99999')
  assert.equal(await ledger(), written)

  // Killed between commitment and registration.
  const register = nodes[3].api('name.register', { name: 'mesh' }).catch(() => 'killed')
  await until(
    async () => (await nodes[3].api('name.resolve', { name: 'mesh' })).reveal === 'waiting',
    'a commitment',
  )
  await nodes[3].kill()
  await register
  nodes[3] = await TestNode.start(homes[3].home)
  const named = await nodes[3].data('name', 'register', 'mesh', '--address', '/dns/a.org/tcp/1/ws')
  assert.deepEqual([named.owner, named.mine, named.version], [ids[3], true, 1])
  for (const node of nodes) {
    const seen = async () => (await node.data('name', 'resolve', 'mesh.dark')).owner === ids[3]
    await until(seen, 'the name', TIMEOUT_MS)
  }
  await refused('name-taken', 'name', 'register', 'mesh')
  const { expires } = await nodes[3].data('name', 'renew', 'mesh')
  assert.ok(expires > named.expires)
  const [listed] = await nodes[0].data('name', 'list')
  assert.equal(listed.name, 'mesh.dark')

  const paying = await spendTwice(homes[MEMBERS].home, ids)
  const [first, second] = await settledEverywhere(nodes, ids)
  console.log(`of a double spend: ${first - 86.5} to one payee, ${second - 113.5} to the other`)
  for (const node of paying) await node.kill()
  await endedIsNotPaid(nodes[0], ids[MEMBERS])
  await pendingIsListed(nodes, homes, ids)
  for (const node of nodes) await node.stop()
})

/** Nobody can spend what an identity is paid that signed two vertices in one place. */
async function endedIsNotPaid(payer, ended) {
  const pay = (...more) => {
    const args = ['wallet', 'transfer', ended, '0.5', '--home', payer.home, ...more]
    return json(args, { cwd: payer.home })
  }
  const { available } = await payer.api('wallet.balance')
  const refused = await pay()
  assert.deepEqual([refused.code, refused.error.code], [6, 'payee-ended'])
  assert.match(refused.error.hint, /--force/)
  assert.equal((await payer.api('wallet.balance')).available, available)
  const forced = await pay('--force')
  assert.equal(forced.data.state, 'final')
}

/** Who does not wait for the end of a payment finds it in a list, also after a restart. */
async function pendingIsListed(nodes, homes, ids) {
  assert.deepEqual(await nodes[0].data('wallet', 'pending'), [])
  // Two of four are no quorum.
  await nodes[2].stop()
  await nodes[3].stop()
  const command = ['wallet', 'transfer', ids[1], '0.25', '--memo', 'later', '--json']
  const paying = start([...command, '--home', nodes[0].home], { cwd: nodes[0].home })
  let said = ''
  paying.stdout.on('data', (some) => (said += some))
  const [one] = await until(async () => {
    const pending = await nodes[0].api('wallet.pending')
    return pending.length > 0 && pending
  }, 'the payment')
  paying.kill('SIGINT')
  await new Promise((resolve) => paying.once('close', resolve))
  assert.match(JSON.parse(said).error.hint, /wallet pending/)
  const { kind, to, microCredits, memo } = one
  assert.deepEqual([kind, to, microCredits, memo], ['transfer', ids[1], CREDIT / 4, 'later'])
  await nodes[0].stop()
  nodes[0] = await TestNode.start(homes[0].home)
  assert.deepEqual(await nodes[0].data('wallet', 'pending'), [one])
  for (const at of [2, 3]) nodes[at] = await TestNode.start(homes[at].home)
  const none = async () => (await nodes[0].api('wallet.pending')).length === 0
  await until(none, 'that it is final', TIMEOUT_MS)
  const paid = await nodes[0].data('wallet', 'history')
  assert.ok(paid.some(({ item }) => item === one.item))
}

/** Credits set aside: one hold is released by its arbiter, one refunded by its payee. */
async function holdsEnd([payer, payee, arbiter, stranger], ids) {
  const held = await payer.data('wallet', 'hold', ids[1], '1', '--arbiter', ids[2])
  const back = await payer.data('wallet', 'hold', ids[1], '2', '--refund-after', '1000')
  assert.equal((await payer.api('wallet.balance')).balance, 84.5 * CREDIT)
  const seen = async () => (await arbiter.data('wallet', 'holds')).length === 1
  await until(seen, 'the hold at its arbiter', TIMEOUT_MS)
  const [shown] = await arbiter.data('wallet', 'holds')
  assert.deepEqual(
    [shown.item, shown.from, shown.to, shown.microCredits, shown.arbiter, shown.refundableFrom],
    [held.item, ids[0], ids[1], CREDIT, ids[2], null],
  )
  const refused = async (node, ...words) => {
    const { error } = await json([...words, '--home', node.home])
    assert.equal(error?.code, 'hold-forbidden', words.join(' '))
  }
  await refused(stranger, 'wallet', 'release', held.item)
  await refused(payer, 'wallet', 'refund', back.item)
  await arbiter.data('wallet', 'release', held.item)
  await payee.data('wallet', 'refund', back.item)
  await until(async () => (await payer.data('wallet', 'holds')).length === 0, 'both ends')
  const { error } = await json(['wallet', 'release', held.item, '--home', payer.home])
  assert.equal(error.code, 'hold-unknown')
}

/** One identity in two processes at once, each of which pays somebody else from one position. */
async function spendTwice(home, ids) {
  const once = await TestNode.start(home)
  await until(async () => (await once.api('status')).vertices > MEMBERS, 'the history')
  await once.stop()
  const copy = join(scratch(), 'home')
  cpSync(home, copy, { recursive: true })
  const paying = await Promise.all([home, copy].map((place) => TestNode.start(place)))
  for (const node of paying) {
    // They take each other's connections away: whoever dialled last has them.
    await until(async () => (await node.api('status')).peers.length >= 1, 'a connection')
  }
  const pay = (node, to) =>
    node.api('wallet.transfer', { to, microCredits: 100 * CREDIT, timeoutMs: 5_000 })
  await Promise.allSettled(paying.map((node, at) => pay(node, ids[at])))
  return paying
}

/** The balances once they are the same everywhere: one payment holds, or neither was taken. */
async function settledEverywhere(nodes, ids) {
  let lists = []
  const same = async () => {
    lists = await balances(nodes, ids)
    const certified = await Promise.all(nodes.map((node) => node.api('finality.status')))
    const rest = certified.every(({ pending, certified, decided }) => {
      return pending === 0 && certified === decided
    })
    return rest && lists.every((list) => list.join() === lists[0].join())
  }
  await until(same, 'one way', TIMEOUT_MS)
  const [first, second, , , payer] = lists[0]
  const ways = ['186.5,113.5,0', '86.5,213.5,0', '86.5,113.5,100']
  assert.ok(ways.includes([first, second, payer].join()), `${lists[0]}`)
  return lists[0]
}
