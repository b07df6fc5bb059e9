/** Runs with commitments, with real processes: one is killed between its commitment and its update. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { DIGITS, data, json, run, scratch, TestNode, until } from './cli.mjs'

const ROUNDS = 6
const SHAPE = ['--layers', '64,16,10', '--range', '0,16', '--classes', '0,1,2,3,4,5,6,7,8,9']

let nodes
let files

before(async () => {
  const folder = scratch()
  const lines = readFileSync(DIGITS, 'utf8').trim().split('\n')
  files = [0, 1, 2].map((third) => {
    const file = join(folder, `${third}.csv`)
    writeFileSync(file, `${lines.filter((_, at) => at % 3 === third).join('\n')}\n`)
    return file
  })
  const place = scratch()
  await data(['init', '--home', place], { cwd: place })
  nodes = [await TestNode.start(place)]
  for (let number = 1; number < 3; number += 1) {
    const home = scratch()
    await data(['init', '--home', home, '--join', nodes[0].ready.join], { cwd: home })
    nodes.push(await TestNode.start(home))
  }
})

after(async () => {
  for (const node of nodes ?? []) await node.stop()
})

/** The run as a node sees it. */
async function seen(node, name) {
  return (await node.data('run', 'list')).find((one) => one.name === name)
}

async function begin(name, ...options) {
  const rows = ['--data', files[0], ...SHAPE, '--deadline', '5', ...options]
  const started = await nodes[0].data('run', 'start', name, ...rows)
  for (const number of [1, 2]) {
    await until(async () => (await seen(nodes[number], name)) !== undefined, 'the run arrives')
    await nodes[number].data('run', 'join', name, '--data', files[number])
  }
  return started
}

/** The newest statement of an author, as a node has it: a commitment that stays, or nothing. */
async function promised(node, author) {
  const newest = async () => (await node.data('dag', 'log', '--author', author, '--limit', '1'))[0]
  const first = await newest()
  await setTimeout(300)
  const { id, kinds } = await newest()
  return id === first.id && kinds.includes('commitment') ? id : undefined
}

/**
 * Freezes a member until another has committed and waits for it: not where the frozen one has
 * committed before, and then the round is over without it.
 */
async function freeze(frozen, witness, author) {
  frozen.child.kill('SIGSTOP')
  for (let look = 0; look < 4; look += 1) {
    if ((await promised(witness, author)) !== undefined) return true
  }
  frozen.child.kill('SIGCONT')
  const { round } = await seen(witness, 'killed')
  await witness.event('round', (one) => {
    const isBack = one.contributors.includes(frozen.ready.nodeId)
    return one.name === 'killed' && one.round > round + 1 && isBack
  })
  return false
}

test('members commit, reveal, and anybody can verify that they did so in order', async () => {
  const three = ['--rounds', String(ROUNDS), '--min-updates', '3']
  const started = await begin('honest', '--commit-reveal', ...three)
  assert.equal(started.commitReveal, true)
  await until(async () => (await seen(nodes[1], 'honest')).state === 'finished', 'it finishes')
  const car = join(nodes[1].home, 'honest.car')
  await nodes[1].data('run', 'export', 'honest', '--output', car)
  const at = { cwd: nodes[1].home }
  const report = await data(['verify', car], at)
  assert.deepEqual([report.ok, report.rounds, report.commitReveal], [true, ROUNDS, true])
  const shown = await run(['verify', car], at)
  assert.match(shown.stdout, /each update was committed to before those beside it were revealed/)
  const own = await data(['verify', car, '--retrain', '--data', files[1]], at)
  assert.deepEqual([own.retrained.equal, own.retrained.differing], [ROUNDS, []])
})

test('it does not go with masks, and is not there unless asked for', async () => {
  const rows = ['--data', files[0], ...SHAPE, '--home', nodes[0].home]
  const masked = ['run', 'start', 'both', ...rows, '--commit-reveal', '--secure-aggregation']
  const refused = await json(masked, { cwd: nodes[0].home })
  assert.deepEqual([refused.ok, refused.error.code], [false, 'usage'])
  const plain = await nodes[0].data('run', 'start', 'plain', ...rows.slice(0, -2))
  assert.equal(plain.commitReveal, false)
})

test('a member killed between its commitment and its update is named, and takes part again', {
  timeout: 300_000,
}, async () => {
  await begin('killed', '--commit-reveal', '--rounds', '400', '--deadline', '15')
  const author = nodes[2].ready.nodeId
  const round = async () => (await seen(nodes[0], 'killed')).round
  await until(async () => (await round()) >= 2, 'rounds happen')
  // While one of three is frozen, the others wait for its commitment until the deadline.
  await until(() => freeze(nodes[1], nodes[0], author), 'it has committed')
  await nodes[2].kill()
  const stuck = await round()
  nodes[1].child.kill('SIGCONT')
  const closed = await nodes[0].event('round', (one) => {
    return one.name === 'killed' && one.round === stuck + 1
  })
  assert.deepEqual(closed.data.leftOut, [{ author, whyNot: 'withheld' }])
  nodes[2] = await TestNode.start(nodes[2].home, ['--join', nodes[0].ready.join])
  await nodes[0].event('round', (one) => {
    return one.name === 'killed' && one.round > stuck + 1 && one.contributors.includes(author)
  })
  const car = join(nodes[0].home, 'killed.car')
  await nodes[0].data('run', 'export', 'killed', '--output', car)
  const at = { cwd: nodes[0].home }
  const report = await data(['verify', car], at)
  assert.equal(report.ok, true)
  // It kept its promise when it came back, which may be before it heard that the round was closed.
  const told = report.leftOut.filter((one) => one.round === stuck + 1)
  assert.deepEqual(
    told.map((one) => one.author),
    [author],
  )
  assert.match(told[0].whyNot, /^(withheld|left-out)$/)
  const shown = await run(['verify', car], at)
  assert.match(shown.stdout, new RegExp(`without .* in round ${stuck + 1}: `))
  for (const node of nodes) await node.data('run', 'leave', 'killed')
})
