// Payments and names over a core that answers as told: what is waited for, and what is said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address, credits } from '../dist/arguments.js'
import { Hub } from '../dist/host/hub.js'
import { creditsText } from '../dist/output.js'
import { Names, Wallet } from '../dist/wallet.js'

/** A core whose only item stands as `state` says, and whose name goes through these reveals. */
class Core {
  state = 'pending'
  written = []
  reveals = ['none', 'waiting', 'waiting', 'ready']

  async item(item) {
    return { item, state: this.state }
  }

  async transfer(options) {
    this.written.push(options)
    return { item: 'bafy/0', state: 'pending' }
  }

  async changeName(options) {
    this.written.push(options.change)
    return { item: 'bafy/0', state: 'pending' }
  }

  async name(name) {
    const [reveal] = this.reveals
    if (this.reveals.length > 1) this.reveals.shift()
    return { name: `${name}.dark`, reveal }
  }

  async walletHistory({ from, account = 'me' }) {
    const numbers = [0, 1, 2, 5].filter((number) => number >= from).slice(0, 2)
    const last = numbers.at(-1)
    const movements = numbers.map((number) => ({ number, from: account }))
    return { movements, next: last === 5 || last === undefined ? null : last + 1 }
  }
}

const made = () => {
  const [core, hub] = [new Core(), new Hub()]
  const events = () => hub.subscribe()
  return { core, hub, wallet: new Wallet(core, events), names: new Names(core, events) }
}
const payment = { to: 'somebody', microCredits: 5 }
const codeOf = (promise) =>
  promise.then(
    () => 'none',
    ({ code }) => code,
  )

test('a payment resolves when it is final, and not for what is final beside it', async () => {
  const { core, hub, wallet } = made()
  let done = false
  const paid = wallet.transfer(payment).then((view) => {
    done = true
    return view
  })
  await new Promise(setImmediate)
  hub.emit({ type: 'finalised' })
  await new Promise(setImmediate)
  assert.equal(done, false, 'another item was final')
  core.state = 'final'
  hub.emit({ type: 'peer' })
  hub.emit({ type: 'finalised' })
  assert.deepEqual(await paid, { item: 'bafy/0', state: 'final' })
  assert.deepEqual(core.written, [payment])
})

test('a payment of an identity that is over says so, and not to wait', async () => {
  const { hub, wallet } = made()
  const paid = codeOf(wallet.transfer(payment))
  await new Promise(setImmediate)
  hub.emit({ type: 'warning', code: 'no-quorum', message: '', hint: '' })
  hub.emit({ type: 'warning', code: 'identity-ended', message: 'it is over', hint: 'a new one' })
  assert.equal(await paid, 'identity-ended')
})

test('a payment that lost, or that nobody decides, says which', async () => {
  const { core, hub, wallet } = made()
  assert.equal(await codeOf(wallet.transfer(payment, { timeoutMs: 20 })), 'not-final')
  const lost = codeOf(wallet.transfer(payment))
  await new Promise(setImmediate)
  core.state = 'rejected'
  hub.emit({ type: 'finalised' })
  assert.equal(await lost, 'rejected')
  core.state = 'pending'
  const ended = codeOf(wallet.transfer(payment))
  await new Promise(setImmediate)
  hub.end()
  assert.equal(await ended, 'not-final', 'the node ended')
})

test('a name is committed to once, and registered when it is ready', async () => {
  const { core, names } = made()
  core.state = 'final'
  await names.register('mesh')
  assert.deepEqual(core.written, ['commit', 'register'])
  // Again after an interruption: the commitment is there.
  const other = made()
  other.core.state = 'final'
  other.core.reveals = ['waiting', 'ready']
  await other.names.register('mesh')
  assert.deepEqual(other.core.written, ['register'])
  const never = made()
  never.core.reveals = ['waiting']
  assert.equal(await codeOf(never.names.register('mesh', { timeoutMs: 1 })), 'not-final')
  assert.deepEqual(never.core.written, [], 'nothing is revealed before its time')
})

test('a history is read to its end', async () => {
  const { wallet } = made()
  const numbers = []
  for await (const { number } of wallet.history({ from: 1 })) numbers.push(number)
  assert.deepEqual(numbers, [1, 2, 5])
})

test('credits are written and read exactly', () => {
  for (const [text, micro] of [
    ['1', 1_000_000],
    ['0.5', 500_000],
    ['12.000001', 12_000_001],
    ['9007199254.740991', Number.MAX_SAFE_INTEGER],
  ]) {
    assert.equal(credits(text), micro)
    assert.equal(credits(creditsText(micro)), micro)
  }
  assert.equal(creditsText(1), '0.000001')
  for (const text of ['', '0', '-1', '1e3', '1.0000001', '9007199254.740992', ' 1']) {
    assert.throws(() => credits(text), /Give credits/, text)
  }
  assert.throws(() => address('example.org'), /multiaddr/)
})
