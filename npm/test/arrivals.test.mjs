import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { ADDRESS_CONNECTIONS_MAX, Arrivals, networkOf } from '../dist/host/arrivals.js'

/** What a caller says in a whole handshake (bytes). */
const HANDSHAKE = 6_731

/** A connection from an address, and the WebSocket that it becomes. */
function call(arrivals, remoteAddress) {
  const socket = Object.assign(new EventEmitter(), { remoteAddress })
  const caller = new EventEmitter()
  const one = { socket, isTaken: arrivals.take(socket), isServed: false }
  one.say = (length) => caller.emit('message', { length })
  one.end = () => {
    caller.emit('close')
    socket.emit('close')
  }
  caller.terminate = () => {
    one.isEnded = true
    one.end()
  }
  one.line = () =>
    arrivals.line(socket, caller, () => {
      one.isServed = true
    })
  if (one.isTaken) one.line()
  return one
}

const served = (calls) => calls.map(({ isServed }) => isServed)

test('of one address four handshakes are served at a time, in the order of the calls', () => {
  const arrivals = new Arrivals()
  const calls = Array.from({ length: 7 }, () => call(arrivals, '10.0.0.1'))
  assert.deepEqual(served(calls), [true, true, true, true, false, false, false])
  const elsewhere = call(arrivals, '10.0.0.2')
  assert.equal(elsewhere.isServed, true, 'another address does not wait for them')
  calls[2].say(HANDSHAKE - 1_000)
  assert.equal(calls[4].isServed, false, 'it has not said enough')
  calls[2].say(1_000)
  calls[2].say(1_000)
  assert.deepEqual(served(calls.slice(4)), [true, false, false], 'one place, one caller')
  // Who leaves while it waits is not served, and takes nobody's place.
  calls[5].end()
  calls[0].end()
  assert.deepEqual(served(calls.slice(4)), [true, false, true])
})

test('who waits for longer than a caller would is ended', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const arrivals = new Arrivals()
  const calls = Array.from({ length: 9 }, () => call(arrivals, '10.0.0.1'))
  t.mock.timers.tick(5_000)
  for (const one of calls.slice(0, 4)) one.end()
  t.mock.timers.tick(4_999)
  assert.equal(calls[8].isEnded, undefined)
  t.mock.timers.tick(1)
  assert.equal(calls[8].isEnded, true)
  assert.deepEqual(served(calls), [...Array(8).fill(true), false])
})

test('a peer that has said little is not taken for a handshake for ever', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const arrivals = new Arrivals()
  const calls = Array.from({ length: 4 }, () => call(arrivals, '10.0.0.1'))
  t.mock.timers.tick(10_000)
  const more = Array.from({ length: 5 }, () => call(arrivals, '10.0.0.1'))
  assert.deepEqual(served(more), [true, true, true, true, false])
  // What the first ones say or do later frees no place a second time.
  for (const one of calls) one.end()
  assert.deepEqual(served(more), [true, true, true, true, false])
})

test('an address has a bound of connections, which others do not share', () => {
  const arrivals = new Arrivals()
  const many = (address) =>
    Array.from({ length: ADDRESS_CONNECTIONS_MAX }, () => call(arrivals, address))
  const calls = many('2001:db8::1')
  assert.equal(
    calls.every(({ isTaken }) => isTaken),
    true,
  )
  assert.equal(call(arrivals, '2001:db8::ffff:0:1').isTaken, false, 'one network, one address')
  assert.equal(call(arrivals, '2001:db8:0:1::1').isTaken, true)
  calls[0].end()
  assert.equal(call(arrivals, '2001:db8::2').isTaken, true)
  assert.equal(call(arrivals, '2001:db8::2').isTaken, false)
})

test('addresses are told apart by what one machine may have', () => {
  const table = [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::1', '0:0:0:0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::5:6', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    [undefined, ''],
  ]
  for (const [address, network] of table) assert.equal(networkOf(address), network)
})
