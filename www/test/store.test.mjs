// The reducer: every state a user can see, reached by actions alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ROUNDS_KEPT_MAX } from '../node_modules/.cache/test/npm/src/run-log.js'
import {
  connection,
  currentRun,
  curveOf,
  initial,
  LOG_MAX,
  POINTS_MAX,
  PROBLEMS_MAX,
  reduce,
  roundsContributed,
  stateWord,
  trainingFrom,
} from '../node_modules/.cache/test/www/src/store.js'
import {
  bytes,
  healthSentence,
  rtt,
  stateLabel,
} from '../node_modules/.cache/test/www/src/words.js'

const view = (over = {}) => ({
  run: 'bafyrun',
  name: 'digits',
  state: 'running',
  round: 0,
  rounds: 20,
  members: ['me', 'other'],
  contributing: false,
  weightsCid: null,
  specification: {},
  classes: ['0', '1'],
  scaling: { offset: [0], scale: [1] },
  epochs: 1,
  batch: 32,
  learningRate: 0.1,
  momentum: 0.9,
  ...over,
})
const peer = (id, over = {}) => ({ id, transport: 'ws', path: 'direct', rttMs: 3, ...over })
const status = (over = {}) => ({
  type: 'status',
  at: 2000,
  status: {
    running: true,
    nodeId: 'me',
    network: 'net',
    peers: [],
    vertices: 3,
    blobs: { count: 1, bytes: 9 },
    runs: [],
    storage: { kind: 'indexeddb', bytes: 4096 },
    ...over,
  },
})
const mesh = (event, at = 3000) => ({ type: 'mesh', at, event })
const round = (number, over = {}) =>
  mesh({
    type: 'round',
    run: 'bafyrun',
    name: 'digits',
    round: number,
    rounds: 20,
    updates: 2,
    contributors: ['me', 'other'],
    weightsCid: `b${number}`,
    ...over,
  })
const after = (...actions) => actions.reduce(reduce, initial)
const tab = { type: 'opened', mode: 'tab', at: 1000 }
const profile = {
  type: 'profile',
  network: 'net',
  meshName: null,
  slot: 0,
  nodeId: 'me',
  invite: 'http://x/#join=y',
  saved: null,
}
const node = { type: 'node', nodeId: 'me' }

test('a tab goes from idle over joining and joined to training and finished', () => {
  const steps = [
    [tab, 'joining'],
    [profile, 'joining'],
    [node, 'joining'],
    [status({ peers: [peer('other')] }), 'joined'],
    [status({ peers: [peer('other')], runs: [view()] }), 'joined'],
    [{ type: 'joining', run: 'bafyrun' }, 'joining'],
    [{ type: 'joining', run: null }, 'joined'],
    [status({ peers: [peer('other')], runs: [view({ contributing: true })] }), 'training'],
    [round(19), 'training'],
    [round(20), 'finished'],
    [
      mesh({ type: 'peer', id: 'other', transport: 'ws', state: 'disconnected', reason: '' }),
      'finished',
    ],
  ]
  assert.equal(stateWord(initial), 'idle')
  let state = initial
  for (const [action, word] of steps) {
    state = reduce(state, action)
    assert.equal(stateWord(state), word, JSON.stringify(action))
  }
  assert.equal(connection(state), 'offline')
  assert.equal(stateLabel(state), 'Finished, offline')
})

test('a tab that meets nobody says offline after its patience, and joined once somebody answers', () => {
  const waiting = after(tab, profile, node, status())
  assert.equal(stateWord(waiting), 'joining')
  const later = reduce(waiting, { type: 'tick', at: 1000 + 8001 })
  assert.equal(stateWord(later), 'offline')
  const met = reduce(
    later,
    mesh({ type: 'peer', id: 'other', transport: 'ws', state: 'connected' }),
  )
  assert.equal(stateWord(met), 'joined')
})

test('that finality is lost is a problem until it is back', () => {
  const warning = { type: 'warning', code: 'no-quorum', message: 'No finality.', hint: 'Wait.' }
  const lost = after(tab, mesh({ type: 'finality', state: 'no-quorum' }), mesh(warning))
  assert.deepEqual(
    lost.problems.map(({ code }) => code),
    ['no-quorum'],
  )
  const back = reduce(lost, mesh({ type: 'finality', state: 'quorum' }))
  assert.deepEqual(back.problems, [])
  const item = { number: 0, item: 'bafy/0', kind: 'committee', author: 'abcdefghijkl', keys: [] }
  const epoch = mesh({ type: 'epoch', epoch: 1, members: 7 })
  const said = after(tab, mesh({ type: 'finalised', ...item }), epoch).log.map(({ text }) => text)
  assert.deepEqual(said.sort(), ['Epoch 1: a committee of 7 decides', 'Final: committee of abcdef'])
})

test('losing every peer of an unfinished run is offline, at once', () => {
  const state = after(
    tab,
    node,
    status({ peers: [peer('other')], runs: [view({ contributing: true })] }),
    status(),
  )
  assert.equal(stateWord(state), 'offline')
  assert.match(healthSentence(state), /reaches nobody/)
})

test('a dead node stays dead whatever arrives afterwards', () => {
  const problem = { code: 'node-dead', message: 'Stopped.', hint: 'Reload.' }
  const state = after(
    tab,
    node,
    { type: 'dead', problem },
    status({ peers: [peer('other')] }),
    round(20),
  )
  assert.equal(stateWord(state), 'dead')
  assert.deepEqual(state.problems, [problem])
})

test('a reload shows run, curve and model before the node has started', () => {
  const saved = {
    view: view({ state: 'finished', round: 20, contributing: true }),
    curve: {
      points: [
        {
          round: 20,
          at: 1,
          updates: 2,
          contributors: ['me'],
          together: 0.95,
          local: null,
          loss: null,
        },
      ],
      alone: null,
      together: { accuracy: 0.95, round: 20, measured: { on: 'test', rows: 360 } },
    },
    model: {
      run: 'bafyrun',
      name: 'digits',
      round: 20,
      features: 64,
      classes: ['0'],
      bytes: 9,
      savedAt: 5,
    },
  }
  const state = after(tab, { ...profile, saved })
  assert.equal(currentRun(state).name, 'digits')
  assert.equal(state.model.round, 20)
  assert.equal(curveOf(state, 'bafyrun').together.accuracy, 0.95)
  assert.equal(roundsContributed(state, 'bafyrun'), 1)
  const started = reduce(state, status({ runs: [] }))
  assert.equal(currentRun(started).name, 'digits', 'an empty store does not take the kept run away')
  const synced = reduce(started, status({ runs: [view({ round: 20, state: 'finished' })] }))
  assert.equal(synced.runs.length, 1)
})

test('what is learnt about one round in pieces becomes one point, in order of rounds', () => {
  const measured = { on: 'test', rows: 360 }
  const state = after(
    tab,
    node,
    { type: 'local', at: 1, run: 'bafyrun', round: 2, accuracy: 0.5, loss: 0.7 },
    round(1),
    round(2),
    { type: 'together', at: 4, run: 'bafyrun', round: 2, accuracy: 0.9, measured },
    { type: 'together', at: 5, run: 'bafyrun', round: 1, accuracy: 0.8, measured },
  )
  const { points, together } = curveOf(state, 'bafyrun')
  assert.deepEqual(
    points.map((point) => [point.round, point.together, point.local]),
    [
      [1, 0.8, null],
      [2, 0.9, 0.5],
    ],
  )
  assert.equal(together.round, 2, 'a late measurement of an old round is not the headline')
  assert.equal(roundsContributed(state, 'bafyrun'), 2)
})

test('the current run is the chosen one, else the own, else an open one', () => {
  const runs = [
    view({ run: 'a', state: 'finished' }),
    view({ run: 'b' }),
    view({ run: 'c', contributing: true }),
  ]
  const state = after(tab, node, status({ runs }))
  assert.equal(currentRun(state).run, 'c')
  assert.equal(currentRun(reduce(state, { type: 'select', run: 'a' })).run, 'a')
  assert.equal(currentRun(after(tab, node, status({ runs: runs.slice(0, 2) }))).run, 'b')
  assert.equal(currentRun(initial), null)
})

test('the same problem is told once, and the oldest goes when there are too many', () => {
  const problem = (code, message = code) => ({
    type: 'problem',
    problem: { code, message, hint: '' },
  })
  const twice = after(problem('a', 'old'), problem('a', 'new'))
  assert.deepEqual(
    twice.problems.map(({ message }) => message),
    ['new'],
  )
  const many = after(...Array.from({ length: 9 }, (_, index) => problem(`p${index}`)))
  assert.equal(many.problems.length, PROBLEMS_MAX)
  assert.equal(many.problems.at(-1).code, 'p8')
  assert.equal(reduce(many, { type: 'solved', code: 'p8' }).problems.at(-1).code, 'p7')
})

test('meeting a peer takes back what was said about meeting nobody', () => {
  const lonely = { code: 'no-peers', message: 'Nobody.', hint: '' }
  const state = after(tab, { type: 'problem', problem: lonely }, status({ peers: [peer('other')] }))
  assert.deepEqual(state.problems, [])
})

test('no list grows without bound', () => {
  let state = after(tab, node, status({ runs: [view({ rounds: 99_999 })] }))
  for (let number = 1; number <= POINTS_MAX + 50; number += 1) {
    state = reduce(state, round(number, { rounds: 99_999 }))
  }
  for (let run = 0; run < 40; run += 1) {
    state = reduce(state, round(1, { run: `r${run}` }))
  }
  assert.equal(state.log.length, LOG_MAX)
  assert.ok(Object.keys(state.curves).length <= 16)
  assert.ok(Object.values(state.curves).every(({ points }) => points.length <= POINTS_MAX))
})

test('an owner page is online while the node answers and offline when it stops', () => {
  const owner = { type: 'opened', mode: 'owner', at: 1000 }
  const lost = { type: 'lost', problem: { code: 'api-lost', message: 'Gone.', hint: '' } }
  assert.equal(stateWord(after(owner)), 'joining')
  const up = after(owner, status({ peers: [], join: 'http://x/#join=y' }))
  assert.equal(stateWord(up), 'joined')
  assert.equal(up.invite, 'http://x/#join=y')
  const down = reduce(up, lost)
  assert.equal(stateWord(down), 'offline')
  assert.equal(down.problems[0].code, 'api-lost')
  assert.deepEqual(reduce(down, status()).problems, [])
})

test('figures are said in units people read', () => {
  assert.deepEqual([0, 1, 999, 1000, 123_456, 7_654_321].map(bytes), [
    '0 bytes',
    '1 byte',
    '999 bytes',
    '1.0 kB',
    '123 kB',
    '7.7 MB',
  ])
  assert.deepEqual([null, 0.3, 12.6].map(rtt), ['not measured', '< 1 ms', '13 ms'])
})

test('rounds of a course that are asked for again replace what was known of them', () => {
  const round = (number, result) => ({
    round: number,
    result,
    updates: [],
    unrevealed: [],
    missing: [],
  })
  const view = (course) => ({ type: 'training', view: { run: 'bafyrun', round: 0, course } })
  const first = Array.from({ length: 20 }, (_, at) => round(at + 1, at < 19 ? { id: at } : null))
  let state = reduce(initial, { type: 'page', page: 'training' })
  assert.equal(trainingFrom(state, 'bafyrun'), 1)
  state = reduce(state, view(first))
  assert.equal(trainingFrom(state, 'bafyrun'), 11, 'late updates still come in for some rounds')
  state = reduce(state, view([round(11, { id: 'again' }), round(12, null)]))
  const { course } = state.training.bafyrun
  assert.deepEqual(
    course.map((one) => one.round),
    Array.from({ length: 12 }, (_, at) => at + 1),
  )
  assert.equal(course[10].result.id, 'again')
  const many = Array.from({ length: 600 }, (_, at) => round(at + 12, null))
  assert.equal(reduce(state, view(many)).training.bafyrun.course.length, ROUNDS_KEPT_MAX)
  assert.equal(reduce(state, view([])).training.bafyrun.course.length, 12)
})
