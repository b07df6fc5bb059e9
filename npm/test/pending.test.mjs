// The list of own payments that are not final: over restarts, and by what the core says of each.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pending } from '../dist/pending.js'

const PAYMENT = { kind: 'transfer', to: 'somebody', microCredits: 5, memo: '' }

function memory() {
  let text
  return {
    recall: () => text,
    remember: (some) => {
      text = some
    },
  }
}

const itemsOf = async (pending) => (await pending.list()).map(({ item }) => item)

test('what is not final is listed, also by the next process', async () => {
  const states = { a: 'pending', b: 'pending', c: 'pending' }
  const item = async (id) => {
    if (states[id] === undefined) throw Object.assign(new Error('gone'), { code: 'item-unknown' })
    return { item: id, state: states[id] }
  }
  const kept = memory()
  const first = new Pending(item, kept)
  for (const id of ['a', 'b', 'c']) first.add(id, PAYMENT)
  first.done('b')
  const next = new Pending(item, kept)
  assert.deepEqual(await itemsOf(next), ['a', 'c'])
  states.a = 'final'
  assert.deepEqual(await itemsOf(next), ['c'])
  delete states.c
  assert.deepEqual(await itemsOf(next), [])
  assert.deepEqual(await itemsOf(new Pending(item, kept)), [])
})

test('a core that cannot be asked is an error and no empty list', async () => {
  const pending = new Pending(async () => {
    throw Object.assign(new Error('stopped'), { code: 'node-stopped' })
  }, undefined)
  pending.add('a', PAYMENT)
  await assert.rejects(pending.list(), { code: 'node-stopped' })
})

test('the list has a bound', async () => {
  const pending = new Pending(async (item) => ({ item, state: 'pending' }), undefined)
  for (let at = 0; at < 1_100; at += 1) pending.add(`item ${at}`, PAYMENT)
  const items = await itemsOf(pending)
  assert.deepEqual([items.length, items.at(-1)], [1_024, 'item 1099'])
})
