// The training worker of a page, with the browser's half of it played by this process.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { packed } from '../packed.mjs'

const PACKAGE = process.env.SYNAPTIC_PACKAGE ?? packed().package
const load = (name) => import(pathToFileURL(join(PACKAGE, name)).href)
const { nodeMaker } = await load('page.mjs')
const { loadMesh, loadNeural } = await load('lib/wasm.js')

const ROWS = new TextEncoder().encode('0,0,no\n0,1,yes\n1,0,yes\n1,1,no\n')
const RUN = { data: ROWS, layers: [2, 4, 2], rounds: 1 }

/** A worker that does with its messages what the test says. */
class FakeWorker extends EventTarget {
  constructor(hear) {
    super()
    this.hear = hear
    queueMicrotask(() => this.say({ ready: true }))
  }

  say(data) {
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }

  postMessage(data) {
    queueMicrotask(() => this.hear(this, data))
  }

  terminate() {}
}

function pageNode(neuralModule, hear) {
  const workers = []
  const worker = () => workers[workers.push(new FakeWorker(hear)) - 1]
  const createNode = nodeMaker({ loadMesh, loadNeural, neuralModule })
  return createNode({ storage: 'memory', worker }).then((node) => ({ node, workers }))
}

// A worker that closes itself tells nobody: what was asked next waited for ever.
test('after a trap the next training gets a worker of its own', async () => {
  const hear = (worker, data) => {
    if ('module' in data || worker.ended) return
    worker.ended = true
    const error = { code: 'wasm-trap', message: 'unreachable', hint: '' }
    worker.say({ id: data.id, error })
    worker.say({ ended: true })
  }
  const { node, workers } = await pageNode(async () => ({}), hear)
  await assert.rejects(node.startRun({ ...RUN, name: 'first' }), { code: 'wasm-trap' })
  await assert.rejects(node.startRun({ ...RUN, name: 'second' }), { code: 'wasm-trap' })
  assert.equal(workers.length, 2)
  await node.stop()
})

test('the worker says so before it closes', async () => {
  const said = []
  const listeners = []
  Object.assign(globalThis, {
    addEventListener: (_type, listener) => listeners.push(listener),
    postMessage: (data) => said.push(data),
    close: () => said.push('closed'),
  })
  await load('worker.mjs')
  const argument = {
    get source() {
      throw new WebAssembly.RuntimeError('unreachable')
    },
  }
  for (const listener of listeners) listener({ data: { id: 1, operation: 'inspect', argument } })
  while (said.at(-1) !== 'closed') await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(said[0], { ready: true })
  assert.equal(said[1].error.code, 'wasm-trap')
  assert.deepEqual(said.slice(2), [{ ended: true }, 'closed'])
})

// The worker waited for a module that never came, and the training for the worker.
test('a neural module that does not load fails the training, and is tried again', async () => {
  let tries = 0
  const neuralModule = async () => {
    tries += 1
    throw new TypeError('Failed to fetch')
  }
  const { node } = await pageNode(neuralModule, () => undefined)
  for (const name of ['first', 'second']) {
    const failure = { code: 'training-stopped', message: /Failed to fetch/ }
    await assert.rejects(node.startRun({ ...RUN, name }), failure)
  }
  assert.equal(tries, 2)
  await node.stop()
})
