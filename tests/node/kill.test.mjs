/**
 * `kill -9` at fifty random moments while a node publishes as fast as it can.
 *
 * Nothing acknowledged may be lost, and the author's sequence must go on: a witness that hears
 * everything would see two vertices with one number, and would count it.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { DIGITS, data, scratch, TestNode, until } from './cli.mjs'

const KILLS = 50
/** A life ends some time after it has signed 1 to this many vertices. */
const LIFE_VERTICES_MAX = 4
/** Longest rest of such a life, in milliseconds: a few vertices more. */
const REST_MS_MAX = 100

test('fifty kills lose nothing and sign nothing twice', { timeout: 600_000 }, async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e6)
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 2 ** 32
  }
  const folder = scratch()
  const rows = readFileSync(DIGITS, 'utf8').trim().split('\n')
  const half = (name, keep) => {
    writeFileSync(join(folder, name), rows.filter(keep).join('\n'))
    return join(folder, name)
  }
  const even = half('even.csv', (_, at) => at % 2 === 0 && at < 200)
  const odd = half('odd.csv', (_, at) => at % 2 === 1 && at < 200)

  const place = scratch()
  await data(['init', '--home', place], { cwd: place })
  const witness = await TestNode.start(place)
  const victimHome = scratch()
  await data(['init', '--home', victimHome, '--join', witness.ready.join], { cwd: victimHome })
  const shape = ['--layers', '64,8,10', '--rounds', '10000', '--epochs', '1', '--deadline', '1']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--range', '0,16']
  const start = (name, updates) =>
    witness.data(
      'run',
      'start',
      name,
      '--data',
      even,
      ...shape,
      ...classes,
      '--min-updates',
      updates,
    )
  await start('endless', '2')
  // Nobody ever trains in this one: joining and leaving it is only there to sign vertices.
  await start('doorway', '100')

  let victim = await TestNode.start(victimHome)
  const author = victim.ready.nodeId
  await victim.data('run', 'join', 'endless', '--data', odd)
  let acknowledged = { vertices: 0, round: 0, inside: false }
  let signed = 0
  for (let kill = 0; kill < KILLS; kill += 1) {
    const context = `kill ${kill}, SEED=${seed}`
    const before = await glance(victim)
    assert.equal(before.nodeId, author, context)
    assert.ok(before.vertices >= acknowledged.vertices, `${context}: ${before.vertices} vertices`)
    assert.ok(before.round >= acknowledged.round, `${context}: round ${before.round}`)
    acknowledged = before
    const enough = signed + Math.ceil(random() * LIFE_VERTICES_MAX)
    const restMs = random() * REST_MS_MAX
    let killed
    try {
      for (;;) {
        const verb = acknowledged.inside ? 'run.leave' : 'run.join'
        if (await signs(victim, verb, { run: 'doorway', data: odd })) signed += 1
        acknowledged = await glance(victim)
        if (signed >= enough) killed ??= setTimeout(restMs).then(() => victim.kill())
      }
    } catch (thrown) {
      assert.equal(thrown.name, 'TypeError', `${context}: ${thrown.stack}`)
    }
    await killed
    victim = await TestNode.start(victimHome)
  }

  const { round } = await glance(victim)
  const goesOn = async () => (await glance(witness)).round > round + 2
  await until(goesOn, `the training goes on, SEED=${seed}`, 120_000)
  const { counters, peers } = await witness.api('status')
  const suspicious = Object.entries(counters).filter(([name]) =>
    /equivocat|invalid|wrong/.test(name),
  )
  assert.deepEqual(suspicious, [], `SEED=${seed}`)
  assert.deepEqual(
    peers.map(({ id }) => id),
    [author],
  )
  await victim.stop()
  await witness.stop()
})

/** What this test looks at: how much there is, and whether the node is in the doorway. */
async function glance(node) {
  const { nodeId, vertices, runs } = await node.api('status')
  const run = (wanted) => runs.find(({ name }) => name === wanted)
  const inside = run('doorway')?.members.includes(nodeId) ?? false
  return { nodeId, vertices, round: run('endless')?.round ?? 0, inside }
}

/**
 * Whether a join or leave was signed. Not when the last life signed one that it could not
 * acknowledge any more, and this life takes up where that one was cut off.
 */
async function signs(node, verb, body) {
  try {
    await node.api(verb, body)
    return true
  } catch (thrown) {
    if (/"(already-joined|not-joined)"/.test(thrown.message)) return false
    throw thrown
  }
}
