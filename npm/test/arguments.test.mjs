// What is not what it must be is an error with a code that names the argument, never a TypeError.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../dist/neural/arguments.js'
import { networkClass } from '../dist/neural/network.js'
import { fann, neural } from './artifact.mjs'
import { XOR } from './xor.mjs'

const Network = networkClass({ neural, fann })
async function failure(work) {
  try {
    await work()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}

const small = () => Network.create({ layers: [2, 3, 1], seed: 1 })
const first = async (network, ...args) => (await network.train(...args).next()).value

for (const [what, work, code, text] of [
  ['no options', () => Network.create(), 'bad-argument', /the network to make .* not undefined/],
  ['null', () => Network.create(null), 'bad-argument', /not null/],
  ['a number', () => Network.create(5), 'bad-argument', /not a number/],
  ['an array', () => Network.create([2, 3, 1]), 'bad-argument', /not an array/],
  ['layers of text', () => Network.create({ layers: '2,3,1' }), 'usage', /layers/],
  ['layers of nothing', () => Network.create({ layers: [2, null, 1] }), 'usage', /layers/],
  ['half a neuron', () => Network.create({ layers: [2, 2.5, 1] }), 'bad-argument', /units/],
  ['no such loss', () => Network.create({ layers: [2, 1], loss: 7 }), 'bad-argument', /loss/],
  ['a symbol', () => Network.create({ layers: [2, 1], seed: Symbol('s') }), 'option-invalid', /s/],
]) {
  test(`a network of ${what} is not made`, async () => {
    const error = await failure(work)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, text)
    assert.notEqual(error.hint, '')
  })
}

for (const [what, call, code] of [
  ['run()', (n) => n.run(), 'rows-invalid'],
  ['run(null)', (n) => n.run(null), 'rows-invalid'],
  ['run("01")', (n) => n.run('01'), 'rows-invalid'],
  ['run([1n, 2n])', (n) => n.run([1n, 2n]), 'rows-invalid'],
  ['run([1, 2n, 3])', (n) => n.run([1, 2n, 3]), 'rows-invalid'],
  ['run({})', (n) => n.run({}), 'rows-invalid'],
  ['run([1])', (n) => n.run([1]), 'rows-invalid'],
  ['run into an array', (n) => n.run([1, 2], [0]), 'bad-argument'],
  ['run into a text', (n) => n.run([1, 2], '0'), 'bad-argument'],
  ['runBatch()', (n) => n.runBatch(), 'rows-invalid'],
  ['runBatch(["01"])', (n) => n.runBatch(['01']), 'rows-invalid'],
  ['runBatch([[1n, 2n]])', (n) => n.runBatch([[1n, 2n]]), 'rows-invalid'],
  ['train()', (n) => first(n), 'rows-invalid'],
  ['train(null)', (n) => first(n, null), 'rows-invalid'],
  ['train(rows, null)', (n) => first(n, XOR, null), 'bad-argument'],
  ['train(rows, 5)', (n) => first(n, XOR, 5), 'bad-argument'],
  ['a signal that is none', (n) => first(n, XOR, { signal: {} }), 'bad-argument'],
  ['a null signal', (n) => first(n, XOR, { signal: null }), 'bad-argument'],
  ['a batch of text', (n) => first(n, XOR, { batch: 'all' }), 'bad-argument'],
  ['an algorithm of 5', (n) => first(n, XOR, { algorithm: 5 }), 'option-invalid'],
  ['setWeights()', (n) => n.setWeights(), 'bad-argument'],
  ['setWeights("0")', (n) => n.setWeights('0'), 'bad-argument'],
  ['save(null)', (n) => n.save(null), 'bad-argument'],
  ['convert("json", null)', (n) => n.convert('json', null), 'bad-argument'],
]) {
  test(`${what} is ${code}, of layers and of FANN`, async () => {
    for (const network of [
      await small(),
      await Network.create({ kind: 'fann', layers: [2, 3, 1] }),
    ]) {
      if (network.fann !== undefined && what === 'a batch of text') continue
      const before = network.weightsCid()
      const error = await failure(() => call(network))
      assert.equal(error.code, code, `${error.code}: ${error.message}`)
      assert.equal(error.name, 'SynapticError')
      assert.equal(network.weightsCid(), before)
      network.free()
    }
  })
}

test('a row is an array of numbers of any kind', async () => {
  const network = await small()
  const expected = network.run(new Float32Array([1, 0]))
  for (const row of [[1, 0], new Float64Array([1, 0]), new Uint8Array([1, 0])]) {
    assert.deepEqual(network.run(row), expected)
    assert.deepEqual(network.runBatch([row]), expected)
  }
})

test('a model is bytes or text', async () => {
  const file = (await small()).save()
  const { buffer, byteOffset, length } = file
  for (const model of [file, Buffer.from(file), new TextDecoder().decode(file)]) {
    assert.equal((await Network.load(model)).parameterCount, 13)
  }
  const whole = buffer.slice(byteOffset, byteOffset + length)
  assert.equal((await Network.load(whole)).parameterCount, 13)
  for (const model of [undefined, null, 5, {}, [1, 2], new Float32Array(3), new DataView(whole)]) {
    const error = await failure(() => Network.load(model))
    assert.equal(error.code, 'bad-argument', String(model))
    assert.match(error.hint, /readFile/)
  }
})

test('an option that means nothing is refused with the one that is meant', async () => {
  for (const [options, meant] of [
    [{ layers: [2, 1], activatoin: 'tanh' }, 'activation'],
    [{ layers: [2, 1], outputactivation: 'tanh' }, 'outputActivation'],
    [{ layers: [2, 1], sed: 3 }, 'seed'],
    [{ kind: 'fann', layers: [2, 1], steepnes: 1 }, 'steepness'],
  ]) {
    const error = await failure(() => Network.create(options))
    assert.deepEqual([error.code, error.hint], ['option-invalid', `did you mean "${meant}"?`])
  }
  const both = await failure(() => Network.create({ layers: [2, 1], outputs: 3 }))
  assert.deepEqual([both.code, both.hint], ['option-invalid', 'leave it out'])
  assert.match(both.message, /"outputs" means nothing beside "layers"/)

  const network = await small()
  for (const [options, meant] of [
    [{ learningrate: 0.1 }, 'learningRate'],
    [{ lr: 0.1 }, undefined],
    [{ rate: 0.1 }, 'learningRate'],
    [{ bach: 8 }, 'batch'],
    [{ algorithm: 'adm' }, 'adam'],
    [{ algorithm: 'rprop', rpropDeltamax: 1 }, 'rpropDeltaMax'],
  ]) {
    const error = await failure(() => first(network, XOR, options))
    assert.equal(error.code, 'option-invalid', error.message)
    if (meant === undefined) assert.match(error.hint, /^use .*learningRate/)
    else assert.equal(error.hint, `did you mean "${meant}"?`)
  }
  // What is absent may be said to be.
  const fine = await Network.create({ layers: [2, 1], activation: undefined, nothing: undefined })
  assert.equal((await first(fine, XOR, { batch: undefined, signal: undefined })).epoch, 1)
})

test('the nearest name is one that could be meant', () => {
  const names = ['learningRate', 'batch', 'seed']
  assert.equal(nearest('LearningRate', names), 'learningRate')
  assert.equal(nearest('bathc', names), 'batch')
  assert.equal(nearest('x', names), undefined)
  assert.equal(nearest('temperature', names), undefined)
})
