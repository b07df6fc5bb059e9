/**
 * Three processes share out tasks: the leader is killed, another takes over, nothing acknowledged
 * is lost; and two of three dead are told from a group that works.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { data, json, run, scratch, TestNode, until } from './cli.mjs'

const TIMEOUT_MS = 60_000

/** Starts a node with a home of its own. */
async function begun(args) {
  const home = scratch()
  await data(['init', '--home', home, ...args], { cwd: home })
  return TestNode.start(home)
}

/** The leader among these nodes, as they all see it. */
async function leaderOf(nodes) {
  let leader
  await until(
    async () => {
      const views = await Promise.all(nodes.map((node) => node.data('group', 'status')))
      const leaders = new Set(views.map(([group]) => group?.leader ?? null))
      ;[leader] = leaders
      const roles = views.filter(([group]) => group?.role === 'leader').length
      return leaders.size === 1 && leader !== null && roles === 1
    },
    'one leader',
    TIMEOUT_MS,
  )
  return leader
}

async function names(node) {
  return (await node.data('group', 'list', 'work')).map(({ name }) => name)
}

test('the leader of three processes is killed and nothing acknowledged is lost', {
  timeout: 300_000,
}, async () => {
  const first = await begun([])
  const join = ['--join', first.ready.join]
  const nodes = [first, await begun(join), await begun(join)]
  for (const node of nodes) {
    await until(async () => (await node.api('status')).peers.length === 2, 'connections')
  }
  const ids = nodes.map(({ ready }) => ready.nodeId)
  const created = await first.data('group', 'create', 'work', '--members', ids.slice(1).join(','))
  assert.deepEqual([...created.members].sort(), [...ids].sort())
  const leader = await leaderOf(nodes)

  const task = await nodes[1].data('group', 'assign', 'work', 'one', '--payload', 'a link')
  assert.deepEqual([task.state, task.payload, task.holder], ['open', 'a link', null])
  // All at once: one of them has it.
  const takes = await Promise.all(
    nodes.map((node) => json(['group', 'take', 'work', 'one', '--home', node.home])),
  )
  const won = takes.findIndex(({ ok }) => ok)
  assert.equal(takes.filter(({ ok }) => ok).length, 1)
  for (const { ok, error } of takes) assert.ok(ok || error.code === 'task-holder')
  assert.equal((await nodes[0].data('group', 'list', 'work'))[0].holder, ids[won])

  // Acknowledged is what the command said; the leader is killed while another one is under way.
  const at = ids.indexOf(leader)
  const rest = nodes.filter((_, place) => place !== at)
  const acknowledged = ['one']
  for (let number = 0; number < 5; number += 1) {
    await nodes[at].data('group', 'assign', 'work', `kept ${number}`)
    acknowledged.push(`kept ${number}`)
  }
  const lost = json(['group', 'assign', 'work', 'maybe', '--home', nodes[at].home])
  const started = performance.now()
  await nodes[at].kill()
  await lost
  const next = await leaderOf(rest)
  assert.notEqual(next, leader)
  await rest[0].data('group', 'assign', 'work', 'after')
  console.log(`leader killed: the next change took ${Math.round(performance.now() - started)} ms`)
  acknowledged.push('after')
  for (const node of rest) {
    const known = await names(node)
    for (const name of acknowledged) assert.ok(known.includes(name), `${name} is lost`)
  }

  nodes[at] = await TestNode.start(nodes[at].home)
  await leaderOf(nodes)
  const back = await names(nodes[at])
  for (const name of acknowledged) assert.ok(back.includes(name), `${name} is lost`)

  const words = await run(['group', 'status', '--home', first.home])
  assert.match(words.stdout, /^work {2}[a-z2-7]{52}$/m)
  const unknown = await json(['group', 'list', 'play', '--home', first.home])
  assert.deepEqual([unknown.ok, unknown.error.code], [false, 'group-unknown'])

  // Control: without a majority nothing is acknowledged.
  const [alone, ...others] = nodes
  for (const node of others) await node.kill()
  const refused = await json(['group', 'assign', 'work', 'never', '--home', alone.home])
  assert.deepEqual([refused.ok, refused.error.code], [false, 'group-timeout'])
  await alone.stop()
})
