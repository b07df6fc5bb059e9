/** Networks as a program has them: one row at a time, into arrays of its own, and in numbers. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { PACKAGE } from './cli.mjs'

const { Network } = await import(pathToFileURL(join(PACKAGE, 'neural-node.mjs')).href)

/** Numbers between -1 and 1 that are nothing in particular. */
const numbers = (count) => Float32Array.from({ length: count }, (_, at) => Math.sin(at * 12.9898))

const XOR = {
  inputs: [0, 0, 0, 1, 1, 0, 1, 1].map((bit) => 10 * bit),
  targets: [0, 1, 1, 0],
}
const EXAMPLES = { inputs: Float32Array.from(XOR.inputs), targets: Float32Array.from(XOR.targets) }

async function train(network, epochs) {
  for await (const _ of network.train(EXAMPLES, { epochs, seed: 1 }));
}

const FLAT = { type: 'flatten' }
const KINDS = {
  dense: { layers: [5, 9, 3], activation: 'tanh' },
  // More numbers than go through the memory that is shared with the core.
  wide: { layers: [5000, 4] },
  // A row of outputs that is longer than a loop copies.
  sequence: { inputs: [40, 2], layers: [{ type: 'gru', units: 6, returns: 'all' }, FLAT] },
  image: { inputs: [6, 6, 1], layers: [{ type: 'conv2d', filters: 3, kernel: 3 }, FLAT] },
}

for (const [name, options] of Object.entries(KINDS)) {
  test(`${name}: a row gives the same bits in a new array, a given one and a batch`, async () => {
    const network = await Network.create({ ...options, seed: 3 })
    const { inputCount, outputCount } = network
    const rows = numbers(2 * inputCount)
    const expected = network.runBatch(rows)
    assert.equal(expected.length, 2 * outputCount)
    const output = new Float32Array(outputCount)
    for (const row of [0, 1, 0]) {
      const input = rows.subarray(row * inputCount, (row + 1) * inputCount)
      const wanted = expected.slice(row * outputCount, (row + 1) * outputCount)
      assert.deepEqual(network.run(input), wanted)
      assert.deepEqual(network.run(Array.from(input)), wanted)
      assert.equal(network.run(input, output), output)
      assert.deepEqual(output, wanted)
    }
    network.free()
  })
}

test('outputs that were given before stay as they were', async () => {
  const network = await Network.create(KINDS.dense)
  const first = network.run([1, 2, 3, 4, 5])
  const kept = first.slice()
  assert.notDeepEqual(network.run([5, 4, 3, 2, 1]), kept)
  assert.deepEqual(first, kept)
})

test('a row of another length and an array of another length are refused', async () => {
  const network = await Network.create(KINDS.dense)
  assert.throws(() => network.run([1, 2, 3, 4]), { code: 'rows-invalid' })
  assert.throws(() => network.run([1, 2, 3, 4, 5, 6]), { code: 'rows-invalid' })
  const long = new Float32Array(4)
  assert.throws(() => network.run([1, 2, 3, 4, 5], long), { code: 'rows-invalid' })
  network.free()
  assert.throws(() => network.run([1, 2, 3, 4, 5]), { code: 'network-freed' })
  assert.throws(() => network.clone(), { code: 'network-freed' })
})

test('what is no word is refused, and the next row is run', async () => {
  const layers = [{ type: 'embedding', vocabulary: 7, units: 2 }, FLAT]
  const network = await Network.create({ inputs: 3, layers })
  const words = network.run([0, 3, 6])
  assert.throws(() => network.run([0, 7, 1]), { code: 'word-invalid' })
  assert.throws(() => network.run([0, 0.5, 1]), { code: 'word-invalid' })
  assert.deepEqual(network.run([0, 3, 6]), words)
})

test('a trained network scales the row it is given, and leaves the row alone', async () => {
  const network = await Network.create({ layers: [2, 6, 1], seed: 2 })
  await train(network, 30)
  const row = Float32Array.of(10, 0)
  assert.deepEqual(network.run(row), network.runBatch(row))
  assert.deepEqual(row, Float32Array.of(10, 0))
})

test('a clone is as its original was, and each goes its own way', async () => {
  const network = await Network.create({ layers: [2, 6, 1], seed: 2 })
  await train(network, 5)
  const clone = network.clone()
  const cid = network.weightsCid()
  assert.equal(clone.weightsCid(), cid)
  assert.deepEqual(clone.specification, network.specification)
  assert.deepEqual(clone.run([10, 0]), network.run([10, 0]))
  await train(clone, 5)
  assert.notEqual(clone.weightsCid(), cid)
  assert.equal(network.weightsCid(), cid)
  network.free()
  assert.equal(clone.run([10, 0]).length, 1)
  clone.free()
})

// Memory that grows moves, for JavaScript: what was a window on it is empty.
test('networks run on after a thousand others were made', async () => {
  const network = await Network.create({ layers: [64, 128, 32], seed: 1 })
  const row = numbers(64)
  const output = new Float32Array(32)
  const expected = network.run(row)
  const clones = Array.from({ length: 1000 }, () => network.clone())
  for (const clone of [network, ...clones]) assert.deepEqual(clone.run(row, output), expected)
  for (const clone of clones) clone.free()
  assert.deepEqual(network.run(row), expected)
})
