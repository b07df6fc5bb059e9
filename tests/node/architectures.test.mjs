// `neural create`: by layer sizes or by a named architecture.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DIGITS, data, json, run, scratch } from './cli.mjs'

const create = (cwd, ...args) =>
  json(['neural', 'create', '--output', join(cwd, 'm.json'), ...args], { cwd })

test('an architecture is made by name, for the inputs and outputs of the data', async () => {
  const cwd = scratch()
  const file = join(cwd, 'm.json')
  const sizes = ['--inputs', '12', '--outputs', '3']
  const made = await data(
    ['neural', 'create', '--architecture', 'decision', '--output', file, ...sizes],
    { cwd },
  )
  assert.equal(made.architecture, 'decision')
  assert.equal(made.task, 'classification')
  assert.equal(made.parameters, (12 + 1) * 64 + (64 + 1) * 56 + (56 + 1) * 3)
  const { specification } = JSON.parse(readFileSync(file, 'utf8'))
  assert.deepEqual(specification, made.specification)
  assert.equal(specification.inputs, 12)
})

test('a loss decides how the network ends, and what it is for', async () => {
  const table = [
    [['--layers', '4,8,1', '--loss', 'huber'], 'linear', 'regression'],
    [['--layers', '4,8,1', '--loss', 'bce', '--activation', 'elu'], 'sigmoid', 'regression'],
    [['--layers', '4,8,3', '--loss', 'bce'], 'sigmoid', 'classification'],
    [['--layers', '4,8,3', '--loss', 'quantile-0.9'], 'linear', 'regression'],
    [['--layers', '4,8,3'], 'softmax', 'classification'],
    [['--architecture', 'mlp', '--loss', 'mae', '--outputs', '2'], 'linear', 'regression'],
    [['--architecture', 'autoencoder', '--inputs', '16'], 'linear', 'regression'],
  ]
  for (const [args, activation, task] of table) {
    const { ok, data } = await create(scratch(), ...args)
    assert.ok(ok, args.join(' '))
    assert.deepEqual([data.specification.layers.at(-1).activation, data.task], [activation, task])
  }
})

test('the help lists the architectures with their parameters', async () => {
  const { stdout } = await run(['neural', 'create', '--help'], { cwd: scratch() })
  assert.match(stdout, /vision +28x28x1 +10 +50482/)
  for (const name of ['mlp', 'decision', 'text', 'lstm', 'gru', 'autoencoder', 'lightweight']) {
    assert.match(stdout, new RegExp(`^${name} `, 'm'))
  }
})

test('what cannot be made is refused with exit code 2, and nothing is written', async () => {
  const table = [
    [[], /either --layers or --architecture/],
    [['--layers', '2,2', '--architecture', 'mlp'], /either --layers or --architecture/],
    [['--layers', '2,2', '--inputs', '4'], /for --architecture/],
    [['--architecture', 'mlp', '--activation', 'tanh'], /--activation/],
    [['--architecture', 'resnet'], /mlp, decision, vision/],
    [['--architecture', 'vision', '--inputs', '784'], /vision cannot take 784/],
    [['--architecture', 'mlp', '--inputs', '8by8'], /HEIGHTxWIDTHxCHANNELS/],
    [['--architecture', 'mlp', '--outputs', '0'], /1 to/],
    [['--layers', '2,2', '--loss', 'l2'], /loss/],
    [['--layers', '2,1', '--task', 'classification'], /one output/],
  ]
  for (const [args, message] of table) {
    const cwd = scratch()
    const { code, error } = await create(cwd, ...args)
    assert.deepEqual([code, error.code], [2, 'usage'], args.join(' '))
    assert.match(error.message, message)
    assert.ok(!existsSync(join(cwd, 'm.json')))
  }
})

/** Accuracy on the digits it was trained with; the best are above 0.9, chance is 0.1. */
const LEARNERS = [
  ['mlp', '64', 0.8],
  ['decision', '64', 0.8],
  ['vision', '8x8x1', 0.8],
  ['lightweight', '8x8x1', 0.25],
  ['lstm', '8x8', 0.5],
  ['gru', '8x8', 0.6],
]

for (const [name, inputs, accuracyMin] of LEARNERS) {
  test(`${name} learns digits from the command line`, async () => {
    const cwd = scratch()
    const file = join(cwd, 'm.json')
    const made = ['--architecture', name, '--inputs', inputs, '--outputs', '10']
    await data(['neural', 'create', '--output', file, ...made], { cwd })
    const args = ['--model', file, '--data', DIGITS, '--epochs', '3', '--seed', '1']
    const { trainAccuracy } = await data(['neural', 'train', ...args], { cwd })
    assert.ok(trainAccuracy > accuracyMin, `accuracy ${trainAccuracy}`)
    const { accuracy } = await data(['neural', 'eval', '--model', file, '--data', DIGITS], { cwd })
    assert.equal(accuracy, trainAccuracy)
    const { layers, parameters } = await data(['neural', 'info', '--model', file], { cwd })
    assert.equal(
      layers.reduce((sum, layer) => sum + layer.parameters, 0),
      parameters,
    )
  })
}

test('text takes bytes as they are, and tells words apart', async () => {
  const cwd = scratch()
  const file = join(cwd, 'm.json')
  const made = ['--architecture', 'text', '--inputs', '8', '--outputs', '2', '--output', file]
  await data(['neural', 'create', ...made], { cwd })
  const bytes = (word) => [...Buffer.from(word.padEnd(8, '\0'))].join(',')
  const words = { animal: ['cat', 'dog', 'cow', 'hen'], tool: ['saw', 'axe', 'file', 'drill'] }
  const rows = Object.entries(words).flatMap(([kind, all]) =>
    all.map((word) => `${bytes(word)},${kind}`),
  )
  const table = join(cwd, 'rows.csv')
  writeFileSync(table, rows.join('\n'))
  const args = ['--model', file, '--data', table, '--epochs', '30', '--batch', '8']
  const { trainAccuracy } = await data(['neural', 'train', ...args], { cwd })
  assert.equal(trainAccuracy, 1)
  const { scaling } = await data(['neural', 'info', '--model', file], { cwd })
  assert.deepEqual([new Set(scaling.offset), new Set(scaling.scale)], [new Set([0]), new Set([1])])
})

test('a network that is too large is refused by the core', async () => {
  const { code, error } = await create(scratch(), '--architecture', 'mlp', '--inputs', '60000')
  assert.deepEqual([code, error.code], [1, 'parameters-too-many'])
  assert.match(error.message, /parameters/)
})
