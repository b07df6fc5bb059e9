/**
 * Five processes decide by sampling who has a name, the same one everywhere, also after `kill -9`;
 * what needs value or a proof is refused with the reason.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, identities, json, run, TestNode, until } from './cli.mjs'

const MEMBERS = 5

/** Homes with an identity each, the first of which makes a network of all that samples. */
async function founded() {
  const homes = await identities(MEMBERS)
  const ids = homes.map(({ id }) => id)
  const [{ home }] = homes
  const committee = ['--consensus', 'qr-avalanche', '--committee', ids.join(',')]
  const rich = ['init', '--home', home, ...committee, '--balance', `${ids[1]}=1`]
  assert.equal((await json(rich, { cwd: home })).code, 2, 'no credits in such a network')
  const made = await data(['init', '--home', home, ...committee], { cwd: home })
  const again = await data(['init', '--home', home, ...committee], { cwd: home })
  assert.equal(again.network, made.network, 'the same command again makes nothing new')
  return { homes, ids, network: made.network }
}

/** Starts a member of the network, which it finds in its home or by a link. */
async function joined(home, link) {
  await data(['init', '--home', home, '--join', link], { cwd: home })
  return TestNode.start(home)
}

const codeOf = async (args, home) => (await json([...args, '--home', home])).error.code

test('five processes give a name to one of two, and say what they cannot prove', {
  timeout: 600_000,
}, async () => {
  const { homes, ids, network } = await founded()
  const nodes = [await TestNode.start(homes[0].home)]
  const link = nodes[0].ready.join
  nodes.push(...(await Promise.all(homes.slice(1).map(({ home }) => joined(home, link)))))
  for (const node of nodes) {
    assert.equal(node.ready.network, network, 'the link brings the engine along')
    await until(async () => (await node.api('status')).peers.length === MEMBERS - 1, 'connections')
    const { state, engine, members, votes, sampling } = await node.data('finality', 'status')
    assert.deepEqual([state, engine, members, votes], ['sampled', 'qr-avalanche', 5, true])
    assert.deepEqual([sampling.k, sampling.alphaConfidence, sampling.beta], [20, 15, 20])
    assert.equal(sampling.confidence, null)
  }

  const started = performance.now()
  const rivals = [1, 3].map((at) => json(['name', 'register', 'mesh', '--home', homes[at].home]))
  const outcomes = await Promise.all(rivals)
  console.log(`two of five wanted a name: ${Math.round(performance.now() - started)} ms`)
  const refused = outcomes.filter(({ code }) => code !== 0).map(({ error }) => error.code)
  assert.equal(refused.length, 1, 'one of the two has it')
  assert.match(refused[0], /^(rejected|name-taken|name-pending)$/)
  const owner = outcomes[0].code === 0 ? ids[1] : ids[3]
  const has = async (node) => (await node.data('name', 'resolve', 'mesh')).owner === owner
  for (const node of nodes) await until(() => has(node), 'the decision')

  const home = homes[0].home
  const [{ item }] = await nodes[0].data('finality', 'list')
  const proof = join(home, 'proof')
  assert.equal(
    await codeOf(['finality', 'prove', item, '--output', proof], home),
    'sampling-no-proof',
  )
  assert.equal(await codeOf(['wallet', 'balance'], home), 'sampling-no-value')
  const members = ids.map((id) => id).join(',')
  assert.equal(await codeOf(['committee', 'propose', members], home), 'sampling-members-fixed')
  const words = await run(['finality', 'status', '--home', home])
  assert.match(words.stdout, /by sampling, without proofs[\s\S]*15 of 20 seats/)

  await nodes[4].kill()
  nodes[4] = await TestNode.start(homes[4].home)
  assert.ok(await has(nodes[4]), 'it knows from its store what it decided')
  const listed = await Promise.all(nodes.map((node) => node.data('finality', 'list')))
  for (const items of listed)
    assert.deepEqual(
      items.map((view) => view.item),
      [item],
    )
  for (const node of nodes) await node.stop()
})
