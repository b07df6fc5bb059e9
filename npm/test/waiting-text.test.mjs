// What a run is said to wait for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitingText } from '../dist/commands/waiting-text.js'

const RUN = { name: 'digits', round: 4 }

test('who is missing in which step is said, and which try it is', () => {
  const members = ['abc', 'def']
  const waiting = (step, attempt) => ({ ...RUN, waiting: { step, attempt, members } })
  assert.deepEqual(waitingText(waiting('commitments', 0)), [
    'run digits: round 5 waits for commitments of abc def',
  ])
  assert.deepEqual(waitingText(waiting('updates', 2)), [
    'run digits: round 5, try 3 waits for updates that were committed to of abc def',
  ])
  assert.deepEqual(waitingText(waiting('shares', 0)), [
    'run digits: round 5 waits for shares that open the sum of abc def',
  ])
})

test('of many members some are named', () => {
  const members = Array.from({ length: 20 }, (_, at) => `m${at}`)
  const [line] = waitingText({ ...RUN, waiting: { step: 'deals', attempt: 0, members } })
  assert.match(line, /keys for masks of m0 m1 .* m7 and 12 more$/)
})

test('where nobody is missing, or nothing is known of it, nothing is said', () => {
  assert.deepEqual(waitingText({ ...RUN, waiting: null }), [])
  assert.deepEqual(waitingText(RUN), [])
})
