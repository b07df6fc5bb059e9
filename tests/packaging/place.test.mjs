// Where a page keeps its node, with the browser's half of it played by this process.
import 'fake-indexeddb/auto'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { packed } from '../packed.mjs'

const PACKAGE = process.env.SYNAPTIC_PACKAGE ?? packed().package
const load = (name) => import(pathToFileURL(join(PACKAGE, name)).href)
const { nodeMaker } = await load('page.mjs')
const { loadMesh } = await load('lib/wasm.js')

const held = new Set()
const locks = {
  async request(name, _options, work) {
    if (held.has(name)) return work(null)
    held.add(name)
    await work({ name }).finally(() => held.delete(name))
  },
}
const define = (name, value) =>
  Object.defineProperty(globalThis, name, { value, configurable: true })
define('isSecureContext', true)
define('navigator', { locks })

// The lock of the profile and the database stayed with a node that had never come to be, so the
// next attempt was another member, and a newer page could not upgrade the database.
test('a node that does not come to be lets go of its profile and its database', async (t) => {
  const closing = t.mock.method(IDBDatabase.prototype, 'close')
  const mesh = await loadMesh()
  const failure = new Error('no entropy')
  const broken = {
    generateNetworkId: mesh.generateNetworkId,
    generateSecrets: () => {
      throw failure
    },
  }
  const createNode = nodeMaker({ loadMesh: async () => broken })
  await assert.rejects(createNode(), { message: 'no entropy' })
  await new Promise((resolve) => setTimeout(resolve))
  assert.deepEqual([...held], [])
  assert.equal(closing.mock.callCount(), 1)
})
