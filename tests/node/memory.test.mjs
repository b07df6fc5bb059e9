/** Memory of the neural engine's instance: what is freed or forgotten is used again. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PACKAGE } from './cli.mjs'

/** The memory of the only instance of this process: no interface hands it out. */
let memory
for (const name of ['Instance', 'instantiate']) {
  const original = WebAssembly[name]
  const seen = (result) => {
    memory ??= (result.instance ?? result).exports.memory
    return result
  }
  WebAssembly[name] = new Proxy(original, {
    construct: (target, args) => seen(Reflect.construct(target, args)),
    apply: (target, that, args) => Reflect.apply(target, that, args).then(seen),
  })
}
const { Network } = await import(pathToFileURL(join(PACKAGE, 'neural-node.mjs')).href)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const WARM_UP = 2_000
const ROWS = {
  inputs: [
    [0, 1],
    [1, 0],
  ],
  targets: [[1], [0]],
}

const create = (hidden = 4) => Network.create({ layers: [2, hidden, 1], seed: 1 })
const sizeBytes = () => memory.buffer.byteLength

test('a hundred thousand networks that are freed take the memory of a few', async () => {
  let [warm, sum] = [0, 0]
  for (let made = 0; made < 100_000; made += 1) {
    if (made === WARM_UP) warm = sizeBytes()
    // Sizes that do not fit each other's holes.
    const network = await create(1 + (made % 40))
    sum += network.run([0.5, made % 7])[0]
    network.free()
  }
  assert.ok(Number.isFinite(sum) && warm > 0)
  assert.equal(sizeBytes(), warm)
})

test('training, saving and loading leave nothing behind', async () => {
  let warm = 0
  for (let made = 0; made < 5_000; made += 1) {
    if (made === 500) warm = sizeBytes()
    const network = await create()
    for await (const _ of network.train(ROWS, { epochs: 2 })) {
      // Half of the trainings are left after their first epoch.
      if (made % 2 === 0) break
    }
    const loaded = await Network.load(network.save())
    assert.throws(() => loaded.setWeights(new Float32Array(1)), { code: 'weights-invalid' })
    network.free()
    loaded.free()
  }
  assert.equal(sizeBytes(), warm)
})

test('networks that are forgotten are freed when they are collected', async () => {
  const round = async () => {
    for (let made = 0; made < 1_000; made += 1) (await create(64)).run([0, 1])
    // The registry is told in a task of its own after the collection.
    collect()
    await new Promise((resolve) => setTimeout(resolve))
  }
  for (let rounds = 0; rounds < 4; rounds += 1) await round()
  const warm = sizeBytes()
  for (let rounds = 0; rounds < 20; rounds += 1) await round()
  assert.equal(sizeBytes(), warm)
})

// A control: without it the others would pass if memory were never looked at.
test('networks that are kept do take memory', async () => {
  const before = sizeBytes()
  const kept = []
  for (let made = 0; made < 20_000; made += 1) kept.push(await create(64))
  assert.ok(sizeBytes() - before > kept.length * 4 * kept[0].parameterCount * 0.9)
  for (const network of kept) network.free()
  const after = sizeBytes()
  for (let made = 0; made < 20_000; made += 1) kept[made] = await create(64)
  assert.equal(sizeBytes(), after)
  for (const network of kept) network.free()
})

test('a freed network says so, whatever is asked of it, and can be freed again', async () => {
  const network = await create()
  const weights = network.weights()
  network.free()
  network.free()
  network[Symbol.dispose]()
  for (const use of [
    () => network.specification,
    () => network.parameterCount,
    () => network.classes,
    () => network.run([0, 1]),
    () => network.runBatch([[0, 1]]),
    () => network.save(),
    () => network.weights(),
    () => network.setWeights(weights),
    () => network.weightsCid(),
  ]) {
    assert.throws(use, { code: 'network-freed' })
  }
  await assert.rejects(network.train(ROWS).next(), { code: 'network-freed' })
  const other = await create()
  const training = other.train(ROWS)
  await training.next()
  other.free()
  await assert.rejects(training.next(), { code: 'network-freed' })
})
