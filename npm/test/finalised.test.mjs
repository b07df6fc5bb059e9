// What is final, one by one: what there is, then what comes, and nothing is missed or doubled.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { balance, committee } from '../dist/arguments.js'
import { Finalised } from '../dist/finalised.js'
import { Hub } from '../dist/host/hub.js'

/** A core in which this many items are final. */
class Core {
  asked = 0

  constructor(total) {
    this.total = total
  }

  async finalised(from, count) {
    this.asked += 1
    const until = Math.min(this.total, from + count)
    const items = []
    for (let number = from; number < until; number += 1) items.push({ number })
    return { items, total: this.total }
  }
}

const numbers = async (stream, count) => {
  const taken = []
  for (let at = 0; at < count; at += 1) taken.push((await stream.next()).value.number)
  return taken
}
const upTo = (from, until) => Array.from({ length: until - from }, (_, at) => from + at)

test('what is final comes page by page, then what becomes final', async () => {
  const [core, hub] = [new Core(200), new Hub()]
  const stream = new Finalised(core, hub.subscribe(), 0)
  assert.deepEqual(await numbers(stream, 200), upTo(0, 200))
  const next = stream.next()
  hub.emit({ type: 'peer' })
  core.total = 202
  hub.emit({ type: 'finalised', number: 200 })
  hub.emit({ type: 'finalised', number: 201 })
  assert.equal((await next).value.number, 200)
  assert.deepEqual(await numbers(stream, 1), [201])
  assert.ok(core.asked < 10, `${core.asked} questions for 202 items`)
})

test('a reader that lost events misses no item', async () => {
  const [core, hub] = [new Core(0), new Hub()]
  const stream = new Finalised(core, hub.subscribe(), 0)
  const first = stream.next()
  for (let number = 0; number < 3_000; number += 1) {
    core.total += 1
    hub.emit({ type: 'finalised', number })
  }
  assert.equal((await first).value.number, 0)
  assert.deepEqual(await numbers(stream, 2_999), upTo(1, 3_000))
})

test('a stream begins where it is told, and ends with the node or its reader', async () => {
  const [core, hub] = [new Core(5), new Hub()]
  const stream = new Finalised(core, hub.subscribe(), 3)
  assert.deepEqual(await numbers(stream, 2), [3, 4])
  const waiting = stream.next()
  hub.end()
  assert.equal((await waiting).done, true)
  const other = new Finalised(core, new Hub().subscribe(), 0)
  for await (const { number } of other) if (number === 2) break
  assert.equal((await other.next()).done, true)
})

const ID = `${'abcdefgh234567'.repeat(4).slice(0, 51)}a`

test('members and balances are read exactly', () => {
  assert.deepEqual(committee(`${ID}, ${ID}:7`), [
    { id: ID, weight: 1 },
    { id: ID, weight: 7 },
  ])
  const credits = [
    ['1', 1_000_000],
    ['0.000001', 1],
    ['12.5', 12_500_000],
    ['9007199254.740991', Number.MAX_SAFE_INTEGER],
  ]
  for (const [text, microCredits] of credits) {
    assert.deepEqual(balance(`${ID}=${text}`), [{ id: ID, microCredits }])
  }
  assert.equal(balance(`${ID}=1`, balance(`${ID}=2`)).length, 2)
  const wrong = ['', ID, `${ID}=`, `${ID}=0`, `${ID}=-1`, `${ID}=1e3`, `${ID}=0.0000001`, `x=1`]
  for (const text of [...wrong, `${ID}=9007199254.740992`, `${ID}=1=1`]) {
    assert.throws(() => balance(text), { code: 'commander.invalidArgument' }, text)
  }
  for (const text of ['', 'x', `${ID},`, `${ID}:0`, `${ID}:-1`, `${ID}:1:1`, `${ID}:1.5`]) {
    assert.throws(() => committee(text), { code: 'commander.invalidArgument' }, text)
  }
})
