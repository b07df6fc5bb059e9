// Who is connected, as a stream: that it ends when the node does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SynapticError } from '../dist/errors.js'
import { Hub } from '../dist/host/hub.js'
import { PeerChanges } from '../dist/peer-changes.js'

/** A stream of a core that answers with these lists one by one, an error instead of a last one. */
function changes(...answers) {
  const hub = new Hub()
  const events = hub.subscribe()
  let ends = 0
  const counted = {
    next: () => events.next(),
    return: () => {
      ends += 1
      return events.return()
    },
  }
  const status = async () => {
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return { peers: answer.map((id) => ({ id })) }
  }
  return { hub, stream: new PeerChanges({ status }, counted), ends: () => ends }
}

const END = { done: true, value: undefined }
const stopped = new SynapticError('node-stopped', 'the node has stopped')

// A reader that looked at the list while the node stopped got an error at a normal shutdown.
test('a node that stops while a reader looks ends its stream, and the subscription', async () => {
  const { hub, stream, ends } = changes(['a'], stopped)
  assert.equal((await stream.next()).value.peer.id, 'a')
  hub.emit({ type: 'peer', state: 'connected', id: 'b' })
  assert.deepEqual(await stream.next(), END)
  assert.equal(ends(), 1)
  assert.deepEqual(await stream.next(), END)

  const late = changes(stopped)
  assert.deepEqual(await late.stream.next(), END, 'stopped before the first look')
  assert.equal(late.ends(), 1)
})

test('any other failure is thrown once, and ends the subscription too', async () => {
  const { stream, ends } = changes(new SynapticError('node-dead', 'a defect'))
  await assert.rejects(stream.next(), { code: 'node-dead' })
  assert.equal(ends(), 1)
  assert.deepEqual(await stream.next(), END)
})
