// A data channel that stays on the page: its port ends with it, on both sides, whoever ends it.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { PortChannel, proxy } from '../node_modules/.cache/test/www/src/channel.js'

/** A channel of the page, as far as it is needed. */
class Fake {
  readyState = 'open'
  bufferedAmount = 0
  sent = []
  full = false

  send(bytes) {
    if (this.full) throw new DOMException('the queue is full', 'OperationError')
    this.sent.push([...bytes])
  }

  close() {
    if (this.readyState === 'closed') return
    this.readyState = 'closed'
    queueMicrotask(() => this.onclose?.(new Event('close')))
  }
}

/** Both sides of a proxied channel, and which of the two ports were closed. */
function proxied() {
  const { port1, port2 } = new MessageChannel()
  const closed = new Set()
  for (const [name, port] of Object.entries({ page: port1, worker: port2 })) {
    const close = port.close.bind(port)
    port.close = () => {
      closed.add(name)
      close()
    }
  }
  const channel = new Fake()
  const end = proxy(channel, port1)
  const remote = new PortChannel(port2)
  const ended = new Promise((resolve) => {
    remote.onclose = resolve
  })
  return { channel, remote, end, ended, closed }
}

test('bytes pass both ways, and a closed channel closes both ports', async () => {
  const { channel, remote, ended, closed } = proxied()
  const heard = new Promise((resolve) => {
    remote.onmessage = ({ data }) => resolve([...new Uint8Array(data)])
  })
  channel.onopen(new Event('open'))
  channel.onmessage({ data: Uint8Array.of(1, 2).buffer })
  assert.deepEqual(await heard, [1, 2])
  assert.deepEqual([...closed], [], 'not before the channel')
  remote.send(Uint8Array.of(3))
  remote.close()
  await ended
  assert.deepEqual(channel.sent, [[3]])
  assert.deepEqual([...closed].sort(), ['page', 'worker'])
})

test('a peer connection that ends without a word of its channel closes both ports', async () => {
  const { end, ended, closed } = proxied()
  end()
  await ended
  assert.deepEqual([...closed].sort(), ['page', 'worker'])
})

test('bytes that the channel does not take end it, and nothing is thrown', async () => {
  const { channel, remote, ended, closed } = proxied()
  channel.full = true
  remote.send(Uint8Array.of(1))
  await ended
  assert.equal(channel.readyState, 'closed')
  assert.deepEqual([...closed].sort(), ['page', 'worker'])
})
