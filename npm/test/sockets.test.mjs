import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { dial, MeshListener } from '../dist/host/sockets.js'

/** A socket with its events as lists and promises. */
function attach(socket) {
  const seen = { messages: [], drains: 0 }
  seen.opened = new Promise((resolve) => {
    seen.closed = new Promise((end) => {
      socket.setHandlers({
        open: resolve,
        message: (bytes) => seen.messages.push(bytes),
        close: end,
        drain: () => {
          seen.drains += 1
        },
      })
    })
  })
  return seen
}

async function pair() {
  const listener = await MeshListener.bind('127.0.0.1', 0, false)
  const accepted = new Promise((resolve) => {
    listener.serve((socket, remote) => resolve({ socket, remote }))
  })
  const out = dial(`ws://127.0.0.1:${listener.port}`)
  const outEvents = attach(out)
  await outEvents.opened
  return { listener, out, outEvents, ...(await accepted) }
}

const until = async (condition) => {
  for (let n = 0; n < 400 && !condition(); n += 1) await new Promise((r) => setTimeout(r, 10))
  assert.ok(condition(), 'in time')
}

test('nothing is lost between accepting a socket and taking it', async () => {
  const { listener, out, socket, remote } = await pair()
  assert.match(remote, /^127\.0\.0\.1:\d+$/)
  out.send(new Uint8Array([1]))
  out.send(new Uint8Array([2, 3]))
  await new Promise((resolve) => setTimeout(resolve, 50))
  const events = attach(socket)
  assert.equal(events.messages.length, 0)
  socket.resume()
  await until(() => events.messages.length === 2)
  assert.deepEqual([...events.messages[1]], [2, 3])
  assert.ok(events.messages[0] instanceof Uint8Array)
  listener.close()
})

test('a full socket says so, and says when there is room', async () => {
  const { listener, out, outEvents, socket } = await pair()
  const events = attach(socket)
  const chunk = new Uint8Array(128 * 1024)
  let sent = 0
  while (out.send(chunk)) {
    sent += 1
    assert.ok(sent < 2_000, 'no back-pressure')
  }
  assert.equal(outEvents.drains, 0)
  socket.resume()
  await until(() => outEvents.drains === 1)
  await until(() => events.messages.length === sent + 1)
  listener.close()
})

test('the end is told once, empty when it was regular', async () => {
  const { listener, out, outEvents, socket } = await pair()
  const events = attach(socket)
  socket.resume()
  out.close()
  out.close()
  assert.equal(await events.closed, '')
  assert.equal(await outEvents.closed, '')
  listener.close()
})

test('nobody there, text, and oversized messages end a socket with a reason', async () => {
  const { listener, out, socket } = await pair()
  const events = attach(socket)
  socket.resume()
  const { port } = listener
  out.send(new Uint8Array(2 * 1024 * 1024))
  assert.match(await events.closed, /payload/i)
  const text = new Promise((resolve) => listener.serve((next) => resolve(attach(next) && next)))
  const talker = new WebSocket(`ws://127.0.0.1:${port}`)
  talker.on('open', () => talker.send('text'))
  ;(await text).resume()
  const code = await new Promise((resolve) => talker.on('close', resolve))
  assert.equal(code, 1003)
  listener.close()
  const nobody = attach(dial(`ws://127.0.0.1:${port}`))
  assert.match(await nobody.closed, /ECONNREFUSED/)
})
