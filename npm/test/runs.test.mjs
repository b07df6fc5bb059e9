import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runs } from '../dist/host/runs.js'

const RUN = {
  run: 'r1',
  name: 'digits',
  state: 'running',
  specification: { inputs: 2 },
  classes: [],
}

/** Runs of a node whose core and training thread do what the test says. */
function runsWith({ node = {}, answers = {}, remember = () => {} }) {
  const told = []
  const asked = []
  const core = { runs: async () => [RUN], joinRun: async () => RUN, trained: () => {}, ...node }
  const pool = {
    async request(_group, operation) {
      asked.push(operation)
      const answer = answers[operation] ?? { features: 2, rows: 3 }
      return typeof answer === 'function' ? answer() : answer
    },
    async forget(group) {
      asked.push(`forget ${group}`)
    },
  }
  const memory = { recall: () => ({}), remember }
  return { runs: new Runs(core, pool, memory, (event) => told.push(event)), told, asked }
}

const JOB = { type: 'train', job: 1, run: 'r1', round: 4 }
const stopped = () => {
  throw Object.assign(new Error('the node has stopped'), { code: 'stopped' })
}

// The result of a job that was under way when the node was stopped had nowhere to go, and the
// rejection that nobody handled ended the program.
test('a job that ends after the core has stopped is dropped', async () => {
  const failing = runsWith({ node: { trained: stopped } })
  await failing.runs.train(JOB)
  const done = runsWith({ node: { trained: stopped }, answers: { update: { samples: 3 } } })
  await done.runs.join('digits', { data: { file: '/rows.csv' }, alone: false })
  await done.runs.train(JOB)
  assert.deepEqual([...failing.told, ...done.told], [])
})

test('a job that fails is handed back with its reason', async () => {
  const handed = []
  const { runs, told } = runsWith({ node: { trained: (...job) => handed.push(job) } })
  await runs.train(JOB)
  assert.equal(handed[0][0], 1)
  assert.match(handed[0][1].error, /no rows/)
  assert.deepEqual([told[0].type, told[0].code], ['warning', 'no-rows'])
})

// Forgetting the rows of a finished run writes to the disk; a full one ended the program.
test('a finished run on a full disk is a warning', async () => {
  let full = false
  const remember = () => {
    if (full) throw Object.assign(new Error('the disk is full'), { code: 'storage-full' })
  }
  const { runs, told } = runsWith({ remember })
  await runs.join('digits', { data: { file: '/rows.csv' }, alone: false })
  full = true
  await runs.finish('r1')
  assert.deepEqual([told[0].type, told[0].code], ['warning', 'storage-full'])
})

// Rows of a join that came to nothing stayed in the training thread until the node ended.
test('a join or a start that fails forgets its rows', async () => {
  const refuse = async () => {
    throw Object.assign(new Error('no'), { code: 'refused' })
  }
  const { runs, asked } = runsWith({ node: { joinRun: refuse, startRun: refuse } })
  const rows = { data: { file: '/rows.csv' }, alone: false }
  await assert.rejects(runs.join('digits', rows), { code: 'refused' })
  assert.equal(asked.at(-1), 'forget digits/1')
  await assert.rejects(runs.start({ ...rows, name: 'digits' }))
  const started = runs.start({ ...rows, name: 'other', classes: ['a'], layers: [3, 1] })
  await assert.rejects(started, { code: /./ })
  assert.equal(asked.at(-1), 'forget other/2')
})

test('a run that has finished takes nobody, also when it finishes during the training alone', async () => {
  const finished = { ...RUN, state: 'finished' }
  const over = runsWith({ node: { runs: async () => [finished] } })
  const rows = { data: { file: '/rows.csv' }, alone: true }
  await assert.rejects(over.runs.join('digits', rows), { code: 'run-finished' })
  assert.deepEqual(over.asked, [])
  let list = [RUN]
  const alone = () => {
    list = [finished]
    return { loss: 1, accuracy: 0.5 }
  }
  const late = runsWith({ node: { runs: async () => list }, answers: { alone } })
  await assert.rejects(late.runs.join('digits', { ...rows }), { code: 'run-finished' })
  assert.equal(late.asked.at(-1), 'forget digits/1')
})
