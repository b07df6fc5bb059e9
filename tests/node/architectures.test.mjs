// `neural create`: by layer sizes or by a named architecture.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, run, scratch } from './cli.mjs'

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

test('a network that is too large is refused by the core', async () => {
  const { code, error } = await create(scratch(), '--architecture', 'mlp', '--inputs', '60000')
  assert.deepEqual([code, error.code], [1, 'specification-invalid'])
  assert.match(error.message, /parameters/)
})
