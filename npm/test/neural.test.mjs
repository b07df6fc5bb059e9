// The neural engine for programs, on the artifact of this build.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { networkClass } from '../dist/neural/network.js'
import { fann, neural } from './artifact.mjs'
import { XOR } from './xor.mjs'

const Network = networkClass({ neural, fann })

/** The code of what is thrown, now or later. */
async function codeOf(work) {
  try {
    await work()
  } catch (error) {
    return error.code
  }
}

async function trained(network, examples, options) {
  const epochs = []
  for await (const epoch of network.train(examples, options)) epochs.push(epoch)
  return epochs
}

const xor = () => Network.create({ layers: [2, 8, 1], activation: 'tanh', loss: 'bce', seed: 1 })

for (const [algorithm, learningRate] of [
  ['sgd', 0.5],
  ['nesterov', 0.2],
  ['rmsprop', 0.02],
  ['adam', 0.05],
  ['adamw', 0.05],
]) {
  test(`${algorithm} learns XOR, as run tells`, async () => {
    const network = await xor()
    const options = { algorithm, learningRate, epochs: 600, seed: 2 }
    const epochs = await trained(network, XOR, options)
    assert.deepEqual([epochs[0].epoch, epochs.at(-1).epoch], [1, 600])
    assert.ok(epochs.at(-1).loss < 0.1 && epochs[0].loss > 0.5)
    const answers = XOR.inputs.map((input) => Math.round(network.run(input)[0]))
    assert.deepEqual(answers, [0, 1, 1, 0])
  })
}

test('sizes, layers and names make the networks they say', async () => {
  const table = [
    [{ layers: [2, 4, 1] }, [['relu', 'linear'], 'mse']],
    [{ layers: [2, 4, 1], outputActivation: 'sigmoid' }, [['relu', 'sigmoid'], 'bce']],
    [
      { layers: [2, 4, 3], activation: 'elu', loss: 'cross-entropy' },
      [['elu', 'softmax'], 'cross-entropy'],
    ],
    [{ layers: [2, 4, 1], outputActivation: 'sigmoid', loss: 'mse' }, [['relu', 'sigmoid'], 'mse']],
    [{ inputs: 2, layers: [{ units: 3, activation: 'softmax' }] }, [['softmax'], 'cross-entropy']],
    [{ architecture: 'mlp', inputs: 4, outputs: 2 }, [['relu', 'softmax'], 'cross-entropy']],
  ]
  for (const [options, [activations, loss]] of table) {
    const network = await Network.create(options)
    const { specification } = network
    assert.deepEqual(
      specification.layers.map(({ activation }) => activation),
      activations,
    )
    assert.equal(specification.loss, loss)
    assert.ok(network instanceof Network)
  }
  assert.ok(!({} instanceof Network))
})

test('the same seed gives the same weights, before and after training', async () => {
  const cids = async (seed) => {
    const network = await Network.create({ layers: [2, 8, 1], seed })
    const before = network.weightsCid()
    await trained(network, XOR, { epochs: 3, seed })
    return [before, network.weightsCid()]
  }
  const [one, again, other] = [await cids(7), await cids(7n), await cids(8)]
  assert.deepEqual(one, again)
  assert.notEqual(one[0], other[0])
})

test('many rows at once give the bits of each row alone', async () => {
  const network = await Network.create({ layers: [3, 5, 2], seed: 1 })
  const rows = Array.from({ length: 9 }, (_, n) => [n, n / 3, -n])
  const together = network.runBatch(rows)
  assert.deepEqual(together, network.runBatch(Float32Array.from(rows.flat())))
  const alone = rows.flatMap((row) => [...network.run(Float32Array.from(row))])
  assert.deepEqual([...together], alone)
  assert.deepEqual(network.runBatch([]), new Float32Array(0))
})

test('a number that is not finite spoils its own row only, in a batch as alone', async () => {
  const network = await Network.create({ layers: [3, 5, 2], seed: 1 })
  const rows = [
    [1, 2, 3],
    [Number.NaN, 1, 1],
    [4, 5, 6],
  ].map((row) => Float32Array.from(row))
  const alone = rows.flatMap((row) => [...network.run(row)])
  assert.deepEqual(alone.map(Number.isNaN), [false, false, true, true, false, false])
  assert.deepEqual([...network.runBatch(rows)], alone)
  assert.deepEqual([...network.runBatch(Float32Array.from(rows.flatMap((row) => [...row])))], alone)
})

test('several outputs learn classes, and numbers are learned as they are', async () => {
  const classes = await Network.create({ layers: [2, 8, 2], loss: 'cross-entropy', seed: 1 })
  const targets = XOR.targets.map(([one]) => [1 - one, one])
  await trained(classes, { inputs: XOR.inputs, targets }, { learningRate: 0.05, epochs: 200 })
  assert.deepEqual(classes.classes, ['0', '1'])
  const told = XOR.inputs.map((input) => Math.round(classes.run(input)[1]))
  assert.deepEqual(told, [0, 1, 1, 0])

  const line = await Network.create({ layers: [1, 1], seed: 1 })
  const inputs = Float32Array.from({ length: 20 }, (_, n) => n / 10)
  const doubled = inputs.map((one) => 100 + 20 * one)
  await trained(line, { inputs, targets: doubled }, { learningRate: 0.5, epochs: 500 })
  assert.ok(Math.abs(line.run([3])[0] - 160) < 1, line.run([3])[0])
})

test('several numbers are learned at once, the same as each by itself', async () => {
  const inputs = Array.from({ length: 30 }, (_, n) => [n / 10, (n % 7) / 7])
  const both = inputs.map(([a, b]) => [2 * a - b, 100 + b])
  const options = { epochs: 300, learningRate: 0.1, batch: 30 }
  const together = await Network.create({ layers: [2, 2], seed: 1 })
  await trained(together, { inputs, targets: both }, options)
  assert.deepEqual([together.classes, together.specification.loss], [[], 'mse'])
  // Without hidden layers the outputs share nothing, and mse is the mean of their losses: under
  // Adam, which does not care for the size of a gradient, each learns what it would alone.
  const weights = together.weights()
  for (const place of [0, 1]) {
    const alone = await Network.create({ layers: [2, 1], seed: 1 })
    alone.setWeights(
      (await Network.create({ layers: [2, 2], seed: 1 }))
        .weights()
        .filter((_, n) => n % 2 === place),
    )
    await trained(alone, { inputs, targets: both.map((row) => [row[place]]) }, options)
    const expected = weights.filter((_, n) => n % 2 === place)
    alone.weights().forEach((one, n) => {
      assert.ok(
        Math.abs(one - expected[n]) < 1e-3 * Math.max(1, Math.abs(one)),
        `${one} ${expected[n]}`,
      )
    })
  }
})

test('the preset autoencoder gives back what it was shown', async () => {
  const network = await Network.create({ architecture: 'autoencoder', inputs: 12, seed: 1 })
  const inputs = Array.from({ length: 40 }, (_, n) =>
    Array.from({ length: 12 }, (_, at) => Math.sin(n / 5 + at) * ((n % 3) + 1)),
  )
  const epochs = await trained(network, { inputs, targets: 'inputs' }, { epochs: 200 })
  const same = await Network.create({ architecture: 'autoencoder', inputs: 12, seed: 1 })
  await trained(same, { inputs, targets: inputs }, { epochs: 200 })
  assert.equal(network.weightsCid(), same.weightsCid())
  assert.ok(epochs.at(-1).loss < epochs[0].loss / 20, `${epochs[0].loss} ${epochs.at(-1).loss}`)
  const [worst] = inputs.map((row) =>
    Math.max(...network.run(row).map((one, at) => Math.abs(one - row[at]))),
  )
  assert.ok(worst < 0.5, `${worst}`)
})

test('answers that do not exclude each other, and shares of classes, are targets', async () => {
  const labels = await Network.create({ layers: [2, 8, 2], loss: 'bce', seed: 1 })
  const targets = XOR.targets.map(([one], n) => [one, Number(n > 1)])
  await trained(labels, { inputs: XOR.inputs, targets }, { epochs: 300, learningRate: 0.05 })
  assert.deepEqual(
    XOR.inputs.map((row) => [...labels.run(row)].map(Math.round)),
    targets,
  )
  const shares = await Network.create({ layers: [1, 3], loss: 'cross-entropy', seed: 1 })
  const rows = {
    inputs: [[0], [1]],
    targets: [
      [0.2, 0.3, 0.5],
      [0.6, 0.3, 0.1],
    ],
  }
  await trained(shares, rows, { epochs: 600, learningRate: 0.05 })
  assert.ok(Math.abs(shares.run([0])[2] - 0.5) < 0.02 && Math.abs(shares.run([1])[0] - 0.6) < 0.02)
})

// They went through single precision, which rounded them to a size that was allowed.
test('sizes beyond single precision are refused as they were given', async () => {
  const inputs = [2 ** 24 + 1, 1]
  await assert.rejects(Network.create({ inputs, layers: [{ type: 'flatten' }] }), /16777217/)
})

test('a loss given to the training stays with the network', async () => {
  const network = await Network.create({ layers: [2, 8, 1], outputActivation: 'sigmoid', seed: 1 })
  const before = network.weightsCid()
  await trained(network, XOR, { loss: 'mse', epochs: 1, learningRate: 1e-6 })
  assert.equal(network.specification.loss, 'mse')
  assert.notEqual(network.weightsCid(), before)
  assert.equal(
    await codeOf(() => trained(network, XOR, { loss: 'cross-entropy', epochs: 1 })),
    undefined,
  )
  const linear = await Network.create({ layers: [2, 1] })
  const refused = await codeOf(() => trained(linear, XOR, { loss: 'bce' }))
  assert.equal(refused, 'specification-invalid')
  assert.equal(linear.specification.loss, 'mse')
})

test('what is saved is loaded with everything, and learns on', async () => {
  const network = await xor()
  await trained(network, XOR, { epochs: 50, learningRate: 0.05 })
  const model = network.save()
  for (const form of [model, model.slice().buffer, new TextDecoder().decode(model)]) {
    const loaded = await Network.load(form)
    assert.equal(loaded.weightsCid(), network.weightsCid())
    assert.deepEqual(loaded.run([0, 1]), network.run([0, 1]))
    const [{ loss }] = await trained(loaded, XOR, { epochs: 1 })
    assert.ok(loss < 0.7)
  }
  for (const [bad, code] of [
    ['', 'model-truncated'],
    ['{}', 'model-foreign'],
    [model.slice(0, 100), 'model-truncated'],
    ['[1]', 'model-foreign'],
  ]) {
    const found = await codeOf(() => Network.load(bad))
    assert.match(String(found), /^model-/, `${code}: ${found}`)
  }
})

test('leaving the loop or the signal ends a training, and the network goes on', async () => {
  const network = await xor()
  for await (const { epoch } of network.train(XOR, { epochs: 1000 })) {
    if (epoch === 3) break
  }
  const controller = new AbortController()
  const seen = []
  await assert.rejects(
    async () => {
      for await (const { epoch } of network.train(XOR, { signal: controller.signal })) {
        seen.push(epoch)
        if (epoch === 2) controller.abort(new Error('enough'))
      }
    },
    { message: 'enough' },
  )
  assert.deepEqual(seen, [1, 2])
  assert.equal((await trained(network, XOR, { epochs: 2 })).length, 2)
})

test('a training leaves room for others between its epochs', async () => {
  const network = await Network.create({ layers: [64, 128, 10], loss: 'cross-entropy' })
  const inputs = new Float32Array(64 * 500).map((_, n) => (n % 17) / 17)
  const targets = Array.from({ length: 500 }, (_, n) => {
    return Float32Array.from({ length: 10 }, (_, place) => Number(n % 10 === place))
  })
  let ticks = 0
  const timer = setInterval(() => {
    ticks += 1
  }, 1)
  await trained(network, { inputs, targets }, { epochs: 60 })
  clearInterval(timer)
  assert.ok(ticks >= 3, `${ticks} ticks`)
})

test('a new training ends the one before', async () => {
  const network = await xor()
  const old = network.train(XOR, { epochs: 10 })
  await old.next()
  await trained(network, XOR, { epochs: 1 })
  assert.equal(await codeOf(() => old.next()), 'training-replaced')
})

test('what cannot be is refused with a code, never a trap', async () => {
  const network = await xor()
  const train = (examples, options) => () => trained(network, examples, options)
  const { inputs, targets } = XOR
  const wide = await Network.create({ layers: [2, 3] })
  const classes = await Network.create({ layers: [2, 2], loss: 'cross-entropy' })
  await trained(classes, { inputs: [[1, 2]], targets: [[0, 1]] }, { epochs: 1 })
  const table = [
    [() => Network.create({}), 'usage'],
    [() => Network.create({ layers: [2] }), 'usage'],
    [() => Network.create({ layers: [{ units: 1, activation: 'relu' }] }), 'usage'],
    [() => Network.create({ layers: [0, 1] }), 'specification-invalid'],
    [() => Network.create({ layers: [2, -1] }), 'bad-argument'],
    [() => Network.create({ layers: [2, 1.5] }), 'bad-argument'],
    [() => Network.create({ layers: [60_000, 8_000, 1] }), 'parameters-too-many'],
    [() => Network.create({ layers: [2, 8_000, 8_000, 1], force: true }), 'parameters-too-many'],
    [() => Network.create({ layers: [2, 2, 1], activation: 'rely' }), 'bad-argument'],
    [() => Network.create({ layers: [2, 1], seed: 0.5 }), 'option-invalid'],
    [() => Network.create({ layers: [2, 1], seed: -1n }), 'option-invalid'],
    [() => Network.create({ architecture: 'resnet' }), 'usage'],
    [() => network.run([1]), 'rows-invalid'],
    [() => network.runBatch(new Float32Array(3)), 'rows-invalid'],
    [() => network.runBatch([[1, 2], [1]]), 'rows-invalid'],
    [() => network.setWeights(new Float32Array(3)), 'weights-invalid'],
    [train({ inputs: [], targets: [] }), 'rows-invalid'],
    [train({ inputs, targets: targets.slice(1) }), 'rows-invalid'],
    [train({ inputs: [[0, Number.NaN]], targets: [[1]] }), 'rows-invalid'],
    [train({ inputs: [[0, 1e39]], targets: [[1]] }), 'rows-invalid'],
    [train({ inputs, targets: [[0], [1], [2], [0]] }), 'targets-invalid'],
    [() => trained(classes, { inputs: [[1, 2]], targets: [[0.5, 0.5]] }), 'targets-invalid'],
    [() => trained(classes, { inputs: [[1, 2]], targets: [[0, 0]] }), 'targets-invalid'],
    [() => trained(classes, { inputs: [[1, 2]], targets: 'inputs' }), 'targets-invalid'],
    [() => trained(wide, { inputs: [[1, 2]], targets: 'inputs' }), 'rows-invalid'],
    [train(XOR, { algorithm: 'lion' }), 'option-invalid'],
    [train(XOR, { learningRate: -1 }), 'option-invalid'],
    [train(XOR, { batch: 0 }), 'option-invalid'],
  ]
  for (const [work, code] of table) assert.equal(await codeOf(work), code, String(work))
})

test('a training that diverges says so, and the weights stay finite', async () => {
  const network = await Network.create({ layers: [1, 8, 1], activation: 'linear', seed: 1 })
  const rows = { inputs: [[1], [2], [3]], targets: [[10], [200], [3000]] }
  const options = { algorithm: 'sgd', learningRate: 5, epochs: 1000 }
  let kept = network.weightsCid()
  const training = async () => {
    for await (const _ of network.train(rows, options)) kept = network.weightsCid()
  }
  await assert.rejects(training, {
    code: 'training-diverged',
    message: /epoch \d+: the weights of layer [12] are no longer finite/,
  })
  assert.ok(network.weights().every(Number.isFinite))
  assert.equal(network.weightsCid(), kept, 'the weights of the last good epoch')
})

test('a freed network says so', async () => {
  const network = await xor()
  const training = network.train(XOR, { epochs: 10 })
  await training.next()
  network.free()
  network.free()
  const uses = [
    () => network.run([0, 1]),
    () => network.specification,
    () => network.save(),
    () => training.next(),
    () => network.train(XOR).next(),
  ]
  for (const use of uses) assert.equal(await codeOf(use), 'network-freed')
})

test('networks that are freed, disposed or forgotten give their memory back', () => {
  const program = `
    import { networkClass } from ${JSON.stringify(new URL('../dist/neural/network.js', import.meta.url))}
    import { fann, neural } from ${JSON.stringify(new URL('./artifact.mjs', import.meta.url))}
    const core = await neural()
    const memory = core.initSync({ module: undefined }).memory
    const Network = networkClass({ neural, fann })
    const make = () => Network.create({ layers: [64, 128, 32] })
    const some = async (count, end) => {
      for (let n = 0; n < count; n += 1) end(await make())
      globalThis.gc()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await some(50, () => {})
    const before = memory.buffer.byteLength
    for (let turn = 0; turn < 20; turn += 1) {
      await some(50, (network) => network.free())
      await some(50, (network) => network[Symbol.dispose]())
      await some(50, () => {})
    }
    console.log((memory.buffer.byteLength - before) / 65536)`
  const args = ['--expose-gc', '--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(stderr, '')
  // 3,000 networks of 50 KB would be 2,300 pages; one turn of the loop is 38.
  assert.ok(Number(stdout) <= 80, `${stdout} pages more`)
})

test('a training that cannot begin leaves the network as it was', async () => {
  const network = await Network.create({ layers: [2, 1], activation: 'sigmoid', seed: 3 })
  const before = network.weightsCid()
  const xor = { inputs: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), targets: [[0], [1], [1], [0]] }
  const begin = async (options, examples = xor) => {
    for await (const _ of network.train(examples, options)) return
  }
  const refused = [
    [{ algorithm: 'cascade', maxNeurons: 0 }, 'option-invalid'],
    [{ epochs: 0 }, 'option-invalid'],
    [{ epochs: 1.5 }, 'option-invalid'],
    [{ epochs: Number.NaN }, 'option-invalid'],
    [{ batchSize: 4 }, 'option-invalid'],
  ]
  for (const [options, code] of refused) await assert.rejects(begin(options), { code })
  for (const examples of [null, {}, { inputs: xor.inputs }, { ...xor, targets: [0, 1, 1, 0] }]) {
    await assert.rejects(begin({}, examples), { code: 'rows-invalid', hint: /one array per row/ })
  }
  assert.equal(network.weightsCid(), before)
  assert.equal(network.specification.layers.length, 1)
  network.free()
})
