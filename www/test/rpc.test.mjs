// Calls over a message port: results, failures and events arrive, and a dead worker rejects at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Failure } from '../node_modules/.cache/test/www/src/problem.js'
import { connect, serve } from '../node_modules/.cache/test/www/src/rpc.js'

/** Two ends that clone what they pass, as `postMessage` does. */
function pair() {
  const ends = [[], []]
  const end = (own, other) => ({
    postMessage: (message) => {
      const data = structuredClone(message)
      queueMicrotask(() => {
        for (const listener of ends[other]) listener({ data })
      })
    },
    addEventListener: (_, listener) => ends[own].push(listener),
  })
  return [end(0, 1), end(1, 0)]
}

test('a call is answered with bytes and bigint intact, events come beside it', async () => {
  const [page, worker] = pair()
  const events = []
  const push = serve(worker, { twice: (value, bytes) => ({ value: value * 2n, bytes }) })
  const { remote } = connect(page, (event) => events.push(event))
  push({ type: 'hello' })
  const answer = await remote.twice(21n, Uint8Array.of(1, 2))
  assert.deepEqual(answer, { value: 42n, bytes: Uint8Array.of(1, 2) })
  assert.deepEqual(events, [{ type: 'hello' }])
})

test('a failure keeps code, words and hint; a foreign error gets a hint', async () => {
  const [page, worker] = pair()
  serve(worker, {
    typed: () => {
      throw new Failure('no-rows', 'No rows.', 'Pick some.')
    },
    wasm: () => {
      throw { code: 'node-dead', message: 'Stopped.', hint: 'Reload.' }
    },
    foreign: async () => {
      throw new TypeError('x is not a function')
    },
  })
  const { remote } = connect(page, () => {})
  const problemOf = (call) =>
    call.then(
      () => assert.fail(),
      (error) => error.problem,
    )
  assert.deepEqual(await problemOf(remote.typed()), {
    code: 'no-rows',
    message: 'No rows.',
    hint: 'Pick some.',
  })
  assert.equal((await problemOf(remote.wasm())).code, 'node-dead')
  const foreign = await problemOf(remote.foreign())
  assert.equal(foreign.code, 'unexpected')
  assert.notEqual(foreign.hint, '')
  assert.equal((await problemOf(remote.toString())).code, 'no-such-call')
})

test('a dead worker rejects what waits and what comes', async () => {
  const [page] = pair()
  const { remote, fail } = connect(page, () => {})
  const waiting = remote.anything()
  fail({ code: 'node-dead', message: 'Stopped.', hint: '' })
  await assert.rejects(waiting, { message: 'Stopped.' })
  await assert.rejects(remote.later(), { message: 'Stopped.' })
})
