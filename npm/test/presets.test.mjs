import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loss, shape } from '../dist/arguments.js'
import { PRESET_NAMES, PRESETS, presetSpecification, presetTable } from '../dist/presets.js'
import { layersOf, outputCount, parameterCount, shapeText } from '../dist/training/shapes.js'
import { specificationOf, taskOf } from '../dist/training/specification.js'
import { neural } from './artifact.mjs'

const vectors = JSON.parse(
  readFileSync(new URL('../../tests/vectors/presets.json', import.meta.url), 'utf8'),
)

test('every preset is about as large as it says, and ends in the outputs asked for', () => {
  const about = { decision: 5_000, vision: 50_000, text: 100_000 }
  for (const name of PRESET_NAMES) {
    const parameters = parameterCount(presetSpecification(name))
    const [least, most] = name in about ? [0.95 * about[name], 1.05 * about[name]] : [1e3, 1e5]
    assert.ok(parameters >= least && parameters <= most, `${name} has ${parameters}`)
    assert.notEqual(PRESETS[name].source, '')
    if (name === 'autoencoder') continue
    const one = presetSpecification(name, { outputs: 1 })
    assert.deepEqual([one.loss, one.layers.at(-1).activation], ['mse', 'linear'])
    const three = presetSpecification(name, { outputs: 3, loss: 'bce' })
    assert.deepEqual([outputCount(three), three.layers.at(-1).activation], [3, 'sigmoid'])
  }
  assert.equal(parameterCount(presetSpecification('vision')), 50_482)
})

test('what presets come to is on record, and counted as the core counts', async () => {
  const { Network } = await neural()
  assert.deepEqual(new Set(vectors.map(({ name }) => name)), new Set(PRESET_NAMES))
  for (const { name, parameters, specification } of vectors) {
    const { inputs } = specification
    const outputs = outputCount(specification)
    assert.deepEqual(presetSpecification(name, { inputs, outputs }), specification)
    assert.equal(parameterCount(specification), parameters)
    assert.equal(Network.create(specification, 1n).parameterCount, parameters)
  }
})

test('inputs of another kind, and outputs that cannot be, are refused with what would do', () => {
  const refused = (name, options) => {
    try {
      presetSpecification(name, options)
    } catch (error) {
      return [error.code, error.message, error.hint]
    }
  }
  assert.deepEqual(refused('vision', { inputs: 784 }), [
    'usage',
    'vision cannot take 784 as inputs',
    'give inputs as HEIGHTxWIDTHxCHANNELS: 28x28x1',
  ])
  assert.match(refused('lstm', { inputs: [28, 28, 1] })[2], /STEPSxFEATURES/)
  assert.match(refused('autoencoder', { outputs: 10 })[1], /64 inputs.*10 outputs/)
  assert.equal(outputCount(presetSpecification('autoencoder', { inputs: 12, outputs: 12 })), 12)
})

test('an image that is small keeps its borders', () => {
  const shapes = (side) =>
    layersOf(presetSpecification('vision', { inputs: [side, side, 3] })).map(({ output }) =>
      shapeText(output),
    )
  assert.deepEqual(shapes(8).slice(0, 5), ['8x8x16', '4x4x16', '4x4x32', '2x2x32', '128'])
  assert.deepEqual(shapes(12).slice(0, 5), ['8x8x16', '4x4x16', '2x2x32', '1x1x32', '32'])
})

test('shapes and parameters of every kind of layer', () => {
  const table = [
    [8, { units: 3, activation: 'relu' }, '3', 27],
    [[5, 8], { type: 'dense', units: 3, activation: 'relu' }, '5x3', 27],
    [[9, 4], { type: 'conv1d', filters: 6, kernel: 3, stride: 2 }, '4x6', 78],
    [[9, 4], { type: 'conv1d', filters: 6, kernel: 3, dilation: 4 }, '1x6', 78],
    [[9, 4], { type: 'conv1d', filters: 6, kernel: 3, padding: 'same', stride: 2 }, '5x6', 78],
    [[9, 7, 4], { type: 'conv2d', filters: 6, kernel: [3, 1], groups: 2 }, '7x7x6', 42],
    [[9, 7, 4], { type: 'max-pool2d', window: 2 }, '4x3x4', 0],
    [[9, 7, 4], { type: 'average-pool2d', window: [9, 7], stride: 1 }, '1x1x4', 0],
    [[9, 4], { type: 'average-pool1d', window: 3, stride: 1 }, '7x4', 0],
    [[9, 4], { type: 'layer-norm' }, '9x4', 8],
    [[9, 4], { type: 'batch-norm' }, '9x4', 16],
    [9, { type: 'embedding', vocabulary: 7, units: 4 }, '9x4', 28],
    [[9, 4], { type: 'position', code: 'learned' }, '9x4', 36],
    [[9, 4], { type: 'position' }, '9x4', 0],
    [[9, 4], { type: 'rnn', units: 5 }, '5', 50],
    [[9, 4], { type: 'lstm', units: 5, returns: 'all' }, '9x5', 200],
    [[9, 4], { type: 'gru', units: 5, bidirectional: true }, '10', 310],
    [[9, 4], { type: 'attention', heads: 2 }, '9x4', 80],
    [[9, 4], { type: 'reshape', shape: [6, 6] }, '6x6', 0],
    [[9, 4], { type: 'flatten' }, '36', 0],
    [[9, 4], { type: 'dropout', ratePerMille: 100 }, '9x4', 0],
    [[9, 4], { type: 'activation', activation: 'elu' }, '9x4', 0],
    [[9, 4], { type: 'concat', with: 0 }, '9x8', 0],
    [[9, 4], { type: 'gate', with: [0] }, '9x4', 0],
  ]
  for (const [inputs, layer, output, parameters] of table) {
    const [info] = layersOf({ inputs, layers: [layer] })
    assert.deepEqual([shapeText(info.output), info.parameters], [output, parameters], info.type)
  }
})

test('what is typed: shapes and losses', () => {
  assert.deepEqual(['64', '32x16', '28x28x1'].map(shape), [64, [32, 16], [28, 28, 1]])
  for (const wrong of ['', '0', '8x', 'x8', '8x0', '2x2x2x2', '-1', '8 x 8', '1e3']) {
    assert.throws(() => shape(wrong), { code: 'commander.invalidArgument' }, wrong)
  }
  for (const name of ['mse', 'mae', 'huber', 'bce', 'cross-entropy', 'quantile-0.9']) {
    assert.equal(loss(name), name)
  }
  for (const wrong of [
    '',
    'l2',
    'quantile-0.',
    'quantile-0.000',
    'quantile-1',
    'quantile-0.1234',
  ]) {
    assert.throws(() => loss(wrong), { code: 'commander.invalidArgument' }, wrong)
  }
})

test('the last layer goes with the loss', () => {
  const last = (loss, outputs) => specificationOf([2, outputs], 'relu', loss).layers[0].activation
  assert.equal(last('cross-entropy', 3), 'softmax')
  assert.equal(last('cross-entropy', 1), 'sigmoid')
  assert.equal(last('bce', 3), 'sigmoid')
  assert.equal(last('huber', 3), 'linear')
  assert.deepEqual([taskOf('bce', 1), taskOf('bce', 2)], ['regression', 'classification'])
})

test('the table of presets fits a screen and counts parameters', () => {
  const rows = presetTable()
  assert.deepEqual(rows.find(([name]) => name === 'vision').slice(1, 4), ['28x28x1', '10', '50482'])
  assert.equal(rows.length, 1 + PRESET_NAMES.length)
})
