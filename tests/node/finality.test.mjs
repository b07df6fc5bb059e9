/**
 * Six processes decide: of two conflicting items one, the same one everywhere, whoever is killed;
 * and with too many away they say that nothing is final.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { data, identities, json, PACKAGE, run, scratch, TestNode, until } from './cli.mjs'

const { verifyProof, createNode, decodeJoinLink, encodeJoinLink, loadMesh, SynapticError } =
  await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)

const MEMBERS = 6
/** Whatever takes longer than this is stuck. */
const TIMEOUT_MS = 120_000

/** Homes with an identity each, the first of which makes a network of all. */
async function founded(count) {
  const homes = await identities(count)
  const ids = homes.map(({ id }) => id)
  const [{ home }] = homes
  const committee = ['--committee', ids.join(','), '--balance', `${ids[1]}=12.5`]
  const made = await data(['init', '--home', home, ...committee], { cwd: home })
  return { homes, ids, network: made.network }
}

/** Starts a member of the network, which it finds in its home or by a link. */
async function joined(home, link) {
  await data(['init', '--home', home, '--join', link], { cwd: home })
  return TestNode.start(home)
}

/** Members with the weight of one, and 2 for the one at this place. */
const seats = (ids, heavy) => ids.map((id, at) => ({ id, weight: at === heavy ? 2 : 1 }))

/** Every member says at once that it wants both committees, half of them the one first. */
async function contend(nodes, first, second) {
  const started = performance.now()
  await Promise.all(
    nodes.map(async (node, at) => {
      for (const members of at % 2 === 0 ? [first, second] : [second, first]) {
        await node.api('committee.propose', { members })
      }
    }),
  )
  return started
}

async function inEpoch(nodes, epoch) {
  const of = ({ epoch: begun }) => begun === epoch
  await Promise.all(nodes.map((node) => node.event('epoch', of, TIMEOUT_MS)))
}

/** The final items, which are the same ones everywhere. */
async function agreed(nodes) {
  const lists = await Promise.all(nodes.map((node) => node.data('finality', 'list')))
  const items = (list) => list.map(({ item }) => item).sort()
  for (const list of lists) assert.deepEqual(items(list), items(lists[0]))
  return items(lists[0])
}

const finality = (node) => node.api('finality.status')
const since = (started) => `${Math.round(performance.now() - started)} ms`

test('six processes decide one way, whoever is killed, and say when they cannot', {
  timeout: 600_000,
}, async () => {
  const { homes, ids, network } = await founded(MEMBERS)
  const nodes = [await TestNode.start(homes[0].home)]
  const link = nodes[0].ready.join
  nodes.push(...(await Promise.all(homes.slice(1).map(({ home }) => joined(home, link)))))
  for (const node of nodes) {
    assert.equal(node.ready.network, network)
    await until(async () => (await node.api('status')).peers.length === 5, 'connections')
    const { state, members, quorum, votes } = await node.data('finality', 'status')
    assert.deepEqual([state, members, quorum, votes], ['quorum', 6, 5, true])
  }

  let started = await contend(nodes, seats(ids, 0), seats(ids, 1))
  await inEpoch(nodes, 1)
  console.log(`six processes, two items in conflict: decided everywhere in ${since(started)}`)
  const [item, ...more] = await agreed(nodes)
  assert.deepEqual(more, [], 'of items in conflict one is final')
  const standing = await nodes[3].data('finality', 'show', item)
  assert.deepEqual([standing.kind, standing.state, standing.height], ['committee', 'final', 1])
  const vertex = item.slice(0, item.indexOf('/'))
  assert.deepEqual(await nodes[3].data('finality', 'show', vertex), standing)
  const words = await run(['finality', 'show', item, '--home', homes[3].home])
  assert.match(words.stdout, /final, checkpoint 1/)
  const unknown = await json(['finality', 'show', 'bafyx/0', '--home', homes[3].home])
  assert.deepEqual([unknown.code, unknown.error.code], [1, 'item-malformed'])

  const shown = await Promise.all(nodes.map((node) => node.data('committee', 'show')))
  const weights = shown.map(({ members }) => members.map(({ id, weight }) => [id, weight]))
  for (const others of weights) assert.deepEqual(others, weights[0])
  assert.equal(shown[0].weight, 7)

  await proves(homes[5].home, item, link, network)

  await nodes[5].kill()
  const five = nodes.slice(0, 5)
  started = await contend(five, seats(ids, 2), seats(ids, 3))
  await inEpoch(five, 2)
  console.log(`one killed: decided by the others in ${since(started)}`)
  assert.equal((await agreed(five)).length, 2)
  nodes[5] = await TestNode.start(homes[5].home)
  await until(async () => (await finality(nodes[5])).epoch === 2, 'catching up', TIMEOUT_MS)
  assert.equal((await agreed(nodes)).length, 2)

  await losesFinality(nodes, homes, seats(ids))
  assert.equal((await agreed(nodes)).length, 3)
  for (const node of nodes) {
    const { counters } = await node.api('status')
    const suspicious = Object.keys(counters).filter((name) => /equivocat|invalid|flood/.test(name))
    assert.deepEqual(suspicious, [])
    await node.stop()
  }
})

/** A proof convinces who has the link alone, and no changed one does. */
async function proves(home, item, link, network) {
  const file = join(scratch(), 'proof')
  const prove = () => json(['finality', 'prove', item, '--output', file, '--home', home])
  await until(async () => (await prove()).ok, 'a proof', TIMEOUT_MS)
  const { genesis } = decodeJoinLink(link)
  const proof = readFileSync(file)
  console.log(`a proof by a committee of ${MEMBERS}: ${proof.length} bytes`)
  const proven = await verifyProof(genesis, proof)
  assert.deepEqual([proven.item, proven.network], [item, network])
  const checked = await data(['finality', 'verify', file, '--join', link], { cwd: scratch() })
  assert.equal(checked.item, item)
  // Controls: one changed byte, a newer checkpoint than there is, and another network.
  const changed = Uint8Array.from(proof)
  changed[changed.length - 1] ^= 1
  await assert.rejects(verifyProof(genesis, changed), (error) => error instanceof SynapticError)
  await assert.rejects(verifyProof(genesis, proof, { heightMin: 99 }), { code: 'proof-invalid' })
  writeFileSync(file, changed)
  const refused = await json(['finality', 'verify', file, '--join', link], { cwd: scratch() })
  assert.equal(refused.code, 1)
}

/**
 * Three of six say what they want and are killed; two others want the same, so that it could be
 * decided, and nobody is there to vote with them.
 */
async function losesFinality(nodes, homes, members) {
  const away = nodes.slice(3)
  const left = nodes.slice(0, 3)
  for (const node of away) await node.api('committee.propose', { members })
  const heard = async (node) => (await node.api('committee.show')).proposals[0]?.by.length === 3
  for (const node of left) await until(() => heard(node), 'three wishes', TIMEOUT_MS)
  for (const node of away) await node.kill()
  let started = performance.now()
  for (const node of left.slice(0, 2)) await node.api('committee.propose', { members })
  const lost = ({ state }) => state === 'no-quorum'
  await Promise.all(left.map((node) => node.event('finality', lost, TIMEOUT_MS)))
  console.log(`three killed: "no finality" said everywhere after ${since(started)}`)
  for (const node of left) {
    assert.equal((await finality(node)).epoch, 2, 'half of the weight decides nothing')
    const warned = await node.event('warning', ({ code }) => code === 'no-quorum')
    assert.match(warned.data.message, /no finality: .* out of reach/)
  }
  started = performance.now()
  for (const at of [3, 4, 5]) nodes[at] = await TestNode.start(homes[at].home)
  console.log(`three restarted in ${since(started)}`)
  started = performance.now()
  await Promise.all(
    nodes.map((node) =>
      until(async () => (await finality(node)).epoch === 3, 'epoch 3', TIMEOUT_MS),
    ),
  )
  console.log(`decided everywhere ${since(started)} after that`)
  for (const node of left) {
    await node.event('finality', ({ state }) => state === 'quorum', TIMEOUT_MS)
    assert.equal((await finality(node)).state, 'quorum')
  }
}

test('a program follows what is final, and has to be told who decides', {
  timeout: 300_000,
}, async () => {
  const lone = await createNode()
  try {
    assert.equal((await lone.finality()).state, 'causal-only')
    assert.equal(lone.genesis, undefined)
    await assert.rejects(lone.committee(), { code: 'no-committee' })
  } finally {
    await lone.stop()
  }
  const { homes, ids, network } = await founded(4)
  const first = await createNode({ home: homes[0].home })
  const nodes = [first]
  try {
    for (const { home } of homes.slice(1)) {
      nodes.push(await createNode({ home, join: first.joinLink }))
    }
    assert.deepEqual(
      nodes.map((node) => node.network),
      Array(4).fill(network),
    )
    const follower = await createNode({ join: first.joinLink })
    nodes.push(follower)
    for (const node of nodes.slice(0, 4)) await node.proposeCommittee(seats(ids, 0))
    for await (const { number, item, kind } of follower.finalised()) {
      assert.deepEqual([number, kind], [0, 'committee'])
      const proof = await follower.proof(item)
      assert.equal((await verifyProof(first.genesis, proof)).item, item)
      const { state, height } = await follower.item(item)
      assert.deepEqual([state, height], ['final', 1])
      break
    }
    // The same items for who asks later, and the end of the node is the end of the stream.
    const again = nodes[1].finalised()
    assert.equal((await again.next()).value.kind, 'committee')
    const waiting = again.next()
    await nodes[1].stop()
    assert.equal((await waiting).done, true)
  } finally {
    for (const node of nodes) await node.stop()
  }
})

test('what makes no committee or no network is refused with words', async () => {
  const home = scratch()
  const { nodeId } = await data(['init', '--home', home], { cwd: home })
  const init = (...more) => json(['init', '--home', home, ...more], { cwd: home })
  const codes = async (...more) => {
    const { code, error } = await init(...more)
    return [code, error.code]
  }
  assert.deepEqual(await codes('--committee', nodeId), [2, 'committee-invalid'])
  assert.deepEqual(await codes('--committee', `${nodeId},x`), [2, 'usage'])
  assert.deepEqual(await codes('--committee', `${nodeId}:0`), [2, 'usage'])
  assert.deepEqual(await codes('--balance', `${nodeId}=1`), [2, 'usage'])
  const { ids } = await founded(4)
  const committee = ['--committee', ids.join(',')]
  assert.deepEqual(await codes(...committee, '--join', 'x'), [2, 'usage'])
  assert.deepEqual(await codes(...committee, '--balance', `${nodeId}=0`), [2, 'usage'])
  // The same command again is the same network; another committee is another one.
  const once = (await init(...committee)).data
  assert.equal((await init(...committee)).data.network, once.network)
  const heavier = ['--committee', `${ids[0]}:2,${ids.slice(1).join(',')}`]
  assert.notEqual((await init(...heavier)).data.network, once.network)
  // A link with the genesis of another network is no way in, and neither is a damaged one.
  const { makeGenesis, generateNetworkId } = await loadMesh()
  const { network, genesis } = makeGenesis({ committee: ids.map((id) => ({ id })) })
  const addresses = ['/ip4/127.0.0.1/tcp/1/ws']
  const link = (parts) => encodeJoinLink('http://127.0.0.1:1', { network, addresses, ...parts })
  const joins = async (parts) => {
    const place = scratch()
    const answer = await json(['init', '--home', place, '--join', link(parts)], { cwd: place })
    return answer.ok ? answer.data.network : answer.error.code
  }
  assert.equal(await joins({ genesis }), network)
  assert.equal(await joins({ genesis, network: generateNetworkId() }), 'genesis-foreign')
  assert.equal(await joins({ genesis: genesis.slice(1) }), 'genesis-malformed')
  // Nobody but a node of a network with a committee can say who decides.
  const plain = scratch()
  await data(['init', '--home', plain], { cwd: plain })
  const node = await TestNode.start(plain)
  const asked = await json(['committee', '--home', plain], { cwd: plain })
  assert.deepEqual([asked.code, asked.error.code], [1, 'no-committee'])
  const said = await run(['finality', 'status', '--home', plain], { cwd: plain })
  assert.match(said.stdout, /causal only, no finality/)
  await node.stop()
})
