import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hub } from '../dist/host/hub.js'

const all = async (events) => {
  const list = []
  for await (const event of events) list.push(event)
  return list
}

test('every reader gets every event from its own start on', async () => {
  const hub = new Hub()
  const early = hub.subscribe()
  hub.emit({ type: 'a' })
  const late = hub.subscribe()
  hub.emit({ type: 'b' })
  hub.end()
  assert.deepEqual(await all(early), [{ type: 'a' }, { type: 'b' }])
  assert.deepEqual(await all(late), [{ type: 'b' }])
  assert.deepEqual(await all(hub.subscribe()), [])
})

test('a slow reader loses the oldest events and is told how many', async () => {
  const hub = new Hub()
  const events = hub.subscribe()
  for (let n = 0; n < 1_030; n += 1) hub.emit({ type: 'n', n })
  assert.deepEqual((await events.next()).value, { type: 'lagged', lost: 6 })
  assert.deepEqual((await events.next()).value, { type: 'n', n: 6 })
})

test('a reader that waits can be ended, and a failure reaches it', async () => {
  const hub = new Hub()
  const waiting = hub.subscribe()
  const next = waiting.next()
  await waiting.return()
  assert.equal((await next).done, true)
  const failing = hub.subscribe()
  hub.end(new Error('the core stopped'))
  await assert.rejects(failing.next(), /the core stopped/)
  assert.equal((await failing.next()).done, true)
})
