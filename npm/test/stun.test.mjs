import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { bindingAnswer, StunServer } from '../dist/host/stun.js'

// RFC 5769, sections 2.2 and 2.3: the answers' attribute, for this transaction and these addresses.
const ID = 'b7e7a701bc34d686fa87dfae'
const REQUEST = Buffer.from(`000100002112a442${ID}`, 'hex')
const VECTORS = [
  ['192.0.2.1', '002000080001a147e112a643'],
  ['::ffff:192.0.2.1', '002000080001a147e112a643'],
  ['2001:db8:1234:5678:11:2233:4455:6677', '002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9'],
]

for (const [address, attribute] of VECTORS) {
  test(`the address of an asker, as RFC 5769 has it: ${address}`, () => {
    const answer = bindingAnswer(REQUEST, { address, port: 32_853 })
    const length = (attribute.length / 2).toString(16).padStart(4, '0')
    assert.equal(answer.toString('hex'), `0101${length}2112a442${ID}${attribute}`)
  })
}

test('an IPv6 address that is shortened anywhere', () => {
  const of = (address) => bindingAnswer(REQUEST, { address, port: 1 }).toString('hex')
  assert.equal(of('fe80::1%eth0'), of('fe80:0:0:0:0:0:0:1'))
  assert.equal(of('::1'), of('0:0:0:0:0:0:0:1'))
  assert.notEqual(of('::1'), of('::2'))
})

test('what is no binding request is not answered', () => {
  const from = { address: '192.0.2.1', port: 1 }
  for (const [what, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['short', REQUEST.subarray(0, 19)],
    ['longer than it says', Buffer.concat([REQUEST, Buffer.alloc(4)])],
    ['another cookie', Buffer.from(`0001000021120042${ID}`, 'hex')],
    ['an answer', Buffer.from(`010100002112a442${ID}`, 'hex')],
  ]) {
    assert.equal(bindingAnswer(bytes, from), undefined, what)
  }
  assert.notEqual(bindingAnswer(REQUEST, from), undefined, 'the control')
})

test('a server answers while it may, and not faster than its bound', async () => {
  const [socket, spare] = [createSocket('udp4'), createSocket('udp4')]
  for (const one of [socket, spare]) await once(one.bind(0, '127.0.0.1'), 'listening')
  const { port } = spare.address()
  assert.equal(await StunServer.bind('127.0.0.1', port, () => true), undefined, 'it is taken')
  spare.close()
  await once(spare, 'close')

  let [may, nowMs, heard] = [true, 0, () => {}]
  const answers = () => {
    heard()
    return may
  }
  const server = await StunServer.bind('127.0.0.1', port, answers, () => nowMs)
  let answered = 0
  socket.on('message', (answer) => {
    if (answer.readUInt16BE(26) === (socket.address().port ^ 0x2112)) answered += 1
  })
  /** Asks, and waits until the server has heard it and, if it is to answer, for that. */
  const ask = async (isAnswered) => {
    const hears = new Promise((resolve) => {
      heard = resolve
    })
    const answer = isAnswered ? once(socket, 'message') : undefined
    socket.send(REQUEST, port, '127.0.0.1')
    await Promise.all([hears, answer])
  }
  may = false
  await ask(false)
  may = true
  for (let asked = 0; asked < 500; asked += 1) await ask(true)
  await ask(false)
  nowMs = 1_000
  await ask(true)
  // Answers come in the order of the questions: those that were refused have had their time.
  assert.equal(answered, 501)
  server.close()
  socket.close()
})
