// The course of a run: what was taken, what was left out and why, who is missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roundText } from '../dist/commands/course-text.js'
import { ROUNDS_KEPT_MAX, RunLog } from '../dist/run-log.js'

const RUN = {
  run: 'run',
  name: 'digits',
  state: 'running',
  rounds: 1_000,
  members: ['a', 'b', 'c'],
}
const CLOSES = { quorum: 3, updatesMin: 2, deadlineMs: 1_000 }

/** A run that three members have joined. */
function joined() {
  const log = new RunLog()
  log.started(RUN.rounds, CLOSES)
  for (const id of RUN.members) log.joined(id, 10, 1)
  return log
}

const update = (author, round, base, timeMs, more = {}) => ({
  id: `${author}${round}${base}`,
  author,
  round,
  base,
  samples: 10,
  bytes: 100,
  vertexBytes: 1_000,
  timeMs,
  ...more,
})

const aggregate = (id, round, base, updates, timeMs) => ({
  id,
  author: 'a',
  round,
  base,
  updates: updates.map((one) => one.id),
  weightsCid: `weights of ${id}`,
  vertexBytes: 1_000,
  timeMs,
})

test('of each update it is told whether it was taken, and if not why', () => {
  const log = joined()
  const [one, two] = [update('a', 1, 'run', 10), update('b', 1, 'run', 11)]
  for (const each of [one, two]) log.update(each)
  const first = aggregate('first', 1, 'run', [one, two], 20)
  log.aggregate(first)
  log.aggregate(aggregate('rival', 1, 'run', [one], 21))
  const late = update('c', 1, 'run', 30)
  const ahead = update('c', 2, 'rival', 35)
  const passed = update('b', 2, 'first', 36)
  const good = update('a', 2, 'first', 37)
  for (const each of [late, ahead, passed, good]) log.update(each)
  const second = aggregate('second', 2, 'first', [good], 40)
  log.aggregate(second)
  const open = update('a', 3, 'second', 50)
  log.update(open)
  const view = log.view(
    { ...RUN, round: 2, weightsCid: second.weightsCid },
    { 'update-unusable': 1 },
  )
  const why = view.course.map(({ updates }) =>
    updates.map(({ author, taken, whyNot }) => [author, taken, whyNot]),
  )
  assert.deepEqual(why, [
    [
      ['a', true, null],
      ['b', true, null],
      ['c', false, 'late'],
    ],
    [
      ['c', false, 'other-weights'],
      ['b', false, 'left-out'],
      ['a', true, null],
    ],
    [['a', null, null]],
  ])
  const results = view.course.map(({ result }) => result?.id ?? null)
  assert.deepEqual(results, ['first', 'second', null], 'the chain that leads to the weights')
  assert.deepEqual(
    view.course.map(({ proposals }) => proposals),
    [2, 1, 0],
  )
  assert.deepEqual(
    view.course.map(({ missing }) => missing),
    [[], [], ['b', 'c']],
  )
  assert.deepEqual(view.course[0].bytes, { updates: 300, vertices: 5_000 })
  assert.deepEqual(view.refused, { 'update-unusable': 1 })
  assert.deepEqual(
    view.members.map(({ id, sent, taken, share, lastRound }) => [
      id,
      sent,
      taken,
      share,
      lastRound,
    ]),
    [
      ['a', 3, 2, 2 / 3, 3],
      ['b', 2, 1, 1 / 3, 2],
      ['c', 2, 0, 0, 2],
    ],
  )
})

test('who left, or joined later, is not missing', () => {
  const log = joined()
  log.left('b', 15)
  log.joined('d', 10, 40)
  const one = update('a', 1, 'run', 10)
  log.update(one)
  log.aggregate(aggregate('first', 1, 'run', [one], 20))
  const [round] = log.view({ ...RUN, round: 1, weightsCid: 'weights of first' }, {}).course
  assert.deepEqual(round.missing, ['c'])
})

test('in a round that nobody has begun everybody is missing', () => {
  const log = joined()
  const [open, ...more] = log.view({ ...RUN, round: 0, weightsCid: null }, {}).course
  assert.deepEqual([open.round, open.missing, open.updates], [1, ['a', 'b', 'c'], []])
  assert.deepEqual(more, [])
  const over = { ...RUN, state: 'finished', round: RUN.rounds, weightsCid: null }
  assert.deepEqual(log.view(over, {}).course, [])
})

test('strangers and rounds that a run has not cannot push its course out', () => {
  const log = joined()
  log.update(update('a', 1, 'run', 10))
  for (let round = 2; round < 2_000; round += 1) log.update(update('stranger', round, 'run', 10))
  for (const round of [0, 1_001, 4_294_967_295]) log.update(update('a', round, 'run', 10))
  const rounds = (round = 0) => log.view({ ...RUN, round, weightsCid: null }, {}).course
  assert.deepEqual(
    rounds().map(({ round, updates }) => [round, updates.length]),
    [[1, 1]],
  )
  for (let round = 2; round <= 1_000; round += 1) log.update(update('a', round, 'run', 10))
  assert.equal(rounds(999).length, ROUNDS_KEPT_MAX)
  assert.equal(rounds(999).at(-1).round, 1_000)
})

test('by events alone the same is told, but for bytes', () => {
  const log = new RunLog()
  const unknown = { id: null, base: null, bytes: null, vertexBytes: 0 }
  for (const author of ['a', 'b']) {
    log.update({ author, round: 1, samples: 10, timeMs: 10, ...unknown })
  }
  const contributors = ['a']
  log.adopted({ round: 1, aggregate: 'first', contributors, weightsCid: 'w', timeMs: 20 })
  log.scored(1, { rows: 5, loss: 0.5, accuracy: 0.75 })
  const [round] = log.view({ ...RUN, round: 1, weightsCid: 'w' }, {}).course
  assert.deepEqual([round.bytes, round.proposals, round.result.author], [null, null, null])
  assert.deepEqual(
    round.updates.map(({ taken, whyNot }) => [taken, whyNot]),
    [
      [true, null],
      [false, 'left-out'],
    ],
  )
  assert.deepEqual(round.score, { rows: 5, loss: 0.5, accuracy: 0.75 })
})

test('what was sent from other weights, or a second time, says so', () => {
  const log = joined()
  const [first, again] = [update('a', 1, 'run', 9), update('a', 1, 'run', 10)]
  const other = update('c', 1, 'elsewhere', 11)
  for (const each of [first, { ...again, id: 'again' }, other]) log.update(each)
  const result = aggregate('first', 1, 'run', [{ ...again, id: 'again' }], 20)
  log.aggregate(result)
  const leftOut = [{ author: 'c', whyNot: 'withheld' }]
  const { id, weightsCid } = result
  log.adopted({ round: 1, aggregate: id, contributors: ['a'], leftOut, weightsCid, timeMs: 20 })
  const [round] = log.view({ ...RUN, round: 1, weightsCid }, {}).course
  assert.deepEqual(
    round.updates.map(({ author, whyNot }) => [author, whyNot]),
    [
      ['a', 'replaced'],
      ['a', null],
      ['c', 'other-weights'],
    ],
  )
  // It sent an update for this round, from other weights: it withheld the one it had committed to.
  assert.deepEqual(round.unrevealed, leftOut)
})

test('in a run with commitments it is told who broke the order, and who sent nothing', () => {
  const log = joined()
  const [one, two] = [update('a', 1, 'run', 10), update('b', 1, 'run', 11)]
  for (const each of [one, two]) log.update(each)
  const result = aggregate('first', 1, 'run', [one], 20)
  log.aggregate(result)
  const leftOut = [
    { author: 'b', whyNot: 'late-commitment' },
    { author: 'c', whyNot: 'withheld' },
  ]
  const { id, weightsCid } = result
  log.adopted({ round: 1, aggregate: id, contributors: ['a'], leftOut, weightsCid, timeMs: 20 })
  const [round] = log.view({ ...RUN, round: 1, weightsCid }, {}).course
  assert.deepEqual(
    round.updates.map(({ author, whyNot }) => [author, whyNot]),
    [
      ['a', null],
      ['b', 'late-commitment'],
    ],
  )
  assert.deepEqual(round.unrevealed, [{ author: 'c', whyNot: 'withheld' }])
  const text = roundText('digits', 3, round)
  assert.match(
    text,
    /b \(committed to after others had revealed\) c \(committed to, and not sent\)/,
  )
})
