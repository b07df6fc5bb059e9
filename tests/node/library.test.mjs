/** The package as a library: what `createNode` promises a program that has a home. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, PACKAGE, scratch } from './cli.mjs'

const library = await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)

/** A node that ends with its test, however that ends: a running one keeps the process alive. */
async function createNode(t, options) {
  const node = await library.createNode(options)
  t.after(() => node.stop())
  return node
}

// Every start without a network joined a new one, in which the node's history was not to be seen.
test('a home keeps identity, network and history between starts', async (t) => {
  const home = scratch()
  const first = await createNode(t, { home })
  const run = { name: 'digits', data: DIGITS, layers: [64, 10], quorum: 2, updatesMin: 2 }
  await first.startRun(run)
  await first.stop()
  const again = await createNode(t, { home })
  assert.deepEqual([again.nodeId, again.network], [first.nodeId, first.network])
  assert.deepEqual(
    (await again.runs()).map(({ name }) => name),
    ['digits'],
  )
  await again.resumeRuns()
  await assert.rejects(again.joinRun('digits', { data: DIGITS }), { code: 'already-joined' })
  await again.stop()
  const { network } = await data(['status', '--home', home], { cwd: home })
  assert.equal(network, first.network)
})

test('the network is the one of the settings, or the one joined first', async (t) => {
  const settled = scratch()
  const { network } = await data(['init', '--home', settled], { cwd: settled })
  const founder = await createNode(t, { home: settled })
  assert.equal(founder.network, network)
  const home = scratch()
  const member = await createNode(t, { home, join: founder.joinLink })
  await member.stop()
  await founder.stop()
  const alone = await createNode(t, { home })
  assert.equal(alone.network, network)
  await alone.stop()
  // What is forgotten leaves nothing behind that a later start would go by.
  const passing = await createNode(t, { home: scratch(), storage: 'memory' })
  assert.notEqual(passing.network, network)
  await passing.stop()
})

test('a home without settings goes on in the network it was in last', async (t) => {
  const home = scratch()
  const first = await createNode(t, { home })
  await first.stop()
  rmSync(join(home, 'config.json'))
  const again = await createNode(t, { home })
  assert.equal(again.network, first.network)
  await again.stop()
})

// A number for a text read memory that is not there, and the module stopped.
test('arguments of another type are refused by code, and the node goes on', async (t) => {
  const { SynapticError, decodeJoinLink, verifyProof } = library
  const refused = async (call, code) => {
    const error = await (async () => call())().then(
      () => assert.fail(`${call} was not refused`),
      (thrown) => thrown,
    )
    assert.ok(error instanceof SynapticError, `${call}: ${error.stack}`)
    assert.equal(error.code, code, `${call}: ${error.message}`)
    assert.notEqual(error.hint, '', `${call}`)
  }
  await refused(() => library.createNode({ hme: scratch() }), 'option-invalid')
  await refused(() => library.createNode(null), 'bad-argument')
  await refused(() => decodeJoinLink(5), 'bad-link')
  const node = await createNode(t, {})
  for (const wrong of [5, true, {}, Symbol('s'), null]) {
    await refused(() => node.item(wrong), 'bad-argument')
    await refused(() => node.proof(wrong), 'bad-argument')
    await refused(() => node.dial(wrong), 'bad-argument')
    await refused(() => node.groupTasks(wrong), 'bad-argument')
    await refused(() => node.names.resolve(wrong), 'bad-argument')
    await refused(() => node.names.register(wrong), 'bad-argument')
    await refused(() => verifyProof(wrong, new Uint8Array(1)), 'bad-argument')
    await refused(() => verifyProof(new Uint8Array(1), wrong), 'bad-argument')
    await refused(() => node.wallet.transfer(wrong), 'bad-argument')
    await refused(() => node.startRun(wrong), 'bad-argument')
  }
  assert.equal((await node.status()).network, node.network)
})
