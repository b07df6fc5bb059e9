// Errors of the command line say what helps there, and not what would help elsewhere.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, run, scratch } from './cli.mjs'

const ROWS = Array.from({ length: 40 }, (_, n) => [n % 7, (n * 3) % 5, n % 7 > 3 ? 'a' : 'b'])

function table(cwd, rows, name = 'rows.csv') {
  const file = join(cwd, name)
  writeFileSync(file, rows.map((row) => row.join(',')).join('\n'))
  return file
}

async function made(cwd, ...options) {
  const model = join(cwd, 'm.json')
  await data(['neural', 'create', '--output', model, '--force', ...options], { cwd })
  return model
}

async function refused(cwd, ...args) {
  const { code, ok, error } = await json(['neural', ...args], { cwd })
  assert.equal(ok, false, args.join(' '))
  return { exit: code, ...error }
}

test('options of FANN are not taken by other algorithms, whatever they are called', async () => {
  const cwd = scratch()
  const rows = ['--data', table(cwd, ROWS), '--epochs', '1']
  const model = await made(cwd, '--layers', '2,4,2')
  for (const [set, ...algorithm] of [
    ['rpropDeltaMax=10'],
    ['learningRate=0.5', '--algorithm', 'adam'],
    ['batch=5', '--algorithm', 'sgd'],
  ]) {
    const asked = ['train', '--model', model, ...rows, '--set', set, ...algorithm]
    const { exit, code, message } = await refused(cwd, ...asked)
    assert.deepEqual([exit, code], [2, 'usage'], message)
    assert.match(message, /--set .* is for the algorithms of FANN, not for (adam|sgd)/)
  }
})

test('a gap in rows for a trained model is not to be filled by an option of training', async () => {
  const cwd = scratch()
  const model = await made(cwd, '--layers', '2,4,2')
  const gaps = table(cwd, [...ROWS.slice(0, 3), [4, '', 'a']], 'gaps.csv')
  const untrained = await refused(cwd, 'train', '--model', model, '--data', gaps)
  assert.match(untrained.hint, /--missing mean/)
  await data(['neural', 'train', '--model', model, '--data', table(cwd, ROWS)], { cwd })
  for (const verb of ['run', 'eval']) {
    const { code, message, hint } = await refused(cwd, verb, '--model', model, '--data', gaps)
    assert.equal(code, 'data-field-empty')
    assert.match(message, /row 4, column 2/, 'the bad cell, also in rows with a label')
    assert.match(hint, /^put a value there, or remove the row/)
  }
})

test('an autoencoder says how it is trained', async () => {
  const cwd = scratch()
  const rows = Array.from({ length: 20 }, (_, n) => [1, 2, 3, 4].map((k) => ((n * k) % 7) / 7))
  const model = await made(cwd, '--architecture', 'autoencoder', '--inputs', '4')
  const asked = ['--model', model, '--data', table(cwd, rows)]
  const { code, hint } = await refused(cwd, 'train', ...asked)
  assert.equal(code, 'inputs-do-not-fit')
  assert.match(hint, /--task reconstruction/)
  await data(['neural', 'train', ...asked, '--task', 'reconstruction', '--epochs', '1'], { cwd })
  const other = await made(cwd, '--layers', '5,3,2')
  const misfit = await refused(cwd, 'train', '--model', other, '--data', table(cwd, rows))
  assert.doesNotMatch(misfit.hint, /reconstruction/)
})

test('softmax and FANN do not go together, and what does is named', async () => {
  const cwd = scratch()
  const rows = ['--data', table(cwd, ROWS), '--algorithm', 'rprop']
  const model = await made(cwd, '--layers', '2,4,2')
  const { code, message, hint } = await refused(cwd, 'train', '--model', model, ...rows)
  assert.equal(code, 'no-counterpart')
  assert.match(message, /softmax/)
  assert.match(hint, /--loss bce/)
  const fitting = await made(cwd, '--layers', '2,4,2', '--loss', 'bce', '--task', 'classification')
  await data(['neural', 'train', '--model', fitting, ...rows, '--epochs', '2'], { cwd })
})

test('a FANN file is not blamed for classes that it cannot have', async () => {
  const cwd = scratch()
  const rows = ['--data', table(cwd, ROWS)]
  const model = await made(cwd, '--layers', '2,4,2', '--kind', 'fann')
  await data(['neural', 'train', '--model', model, ...rows, '--epochs', '20'], { cwd })
  const net = join(cwd, 'm.net')
  await data(['neural', 'convert', model, net], { cwd })
  const { code, message, hint } = await refused(cwd, 'eval', '--model', net, ...rows)
  assert.equal(code, 'data-differs')
  assert.match(message, /a FANN file knows no classes/)
  assert.match(hint, /the model it was made from/)
})

test('two losses that cannot be compared are said to be', async () => {
  const cwd = scratch()
  const rows = ['--data', table(cwd, ROWS)]
  const convert = (model) =>
    run(['neural', 'convert', model, join(cwd, 'l.json'), '--layers', '--force', ...rows], { cwd })
  const model = await made(cwd, '--layers', '2,4,2', '--kind', 'fann')
  await data(['neural', 'train', '--model', model, ...rows, '--epochs', '20'], { cwd })
  assert.match((await convert(model)).stderr, /targets 0 and 1.* -1 and 1.*cannot be compared/)
  const sigmoid = ['--output-activation', 'sigmoid']
  const same = await made(cwd, '--layers', '2,4,2', '--kind', 'fann', ...sigmoid)
  await data(['neural', 'train', '--model', same, ...rows, '--epochs', '20'], { cwd })
  assert.doesNotMatch((await convert(same)).stderr, /compared/)
})

test('a mistake in an option points to the help of its command', async () => {
  const cwd = scratch()
  for (const [args, command] of [
    [['neural', 'train', '--modle', 'm'], 'neural train'],
    [['neural', 'train'], 'neural train'],
    [['--home', 'neural', 'run', 'start'], 'run start'],
    [['run', 'start', 'x', '--rounds', '0'], 'run start'],
    [['neural', 'nothing'], 'neural'],
  ]) {
    const { code, stderr } = await run(args, { cwd })
    assert.equal(code, 2)
    assert.ok(stderr.includes(`see \`synaptic-mesh ${command} --help\``), `${args}: ${stderr}`)
  }
  const { stderr } = await run(['nothing'], { cwd })
  assert.match(stderr, /see `synaptic-mesh --help`/)
})

test('a model file from which its scaling was taken is refused', async () => {
  const cwd = scratch()
  const rows = ['--data', table(cwd, ROWS)]
  for (const [kind, dtype] of [
    [[], 'f32'],
    [[], 'int8'],
    [['--kind', 'fann'], 'f32'],
  ]) {
    const model = await made(cwd, '--layers', '2,4,2', ...kind)
    await data(['neural', 'train', '--model', model, ...rows, '--epochs', '2'], { cwd })
    const other = join(cwd, `${dtype}.json`)
    await data(['neural', 'convert', model, other, '--dtype', dtype, '--force'], { cwd })
    for (const field of ['scaling', 'targetScaling', 'task']) {
      const parts = JSON.parse(readFileSync(other, 'utf8'))
      delete parts[field]
      const damaged = join(cwd, 'damaged.json')
      writeFileSync(damaged, JSON.stringify(parts))
      const { code, message } = await refused(cwd, 'eval', '--model', damaged, ...rows)
      const known = ['model-damaged', 'model-foreign', 'data-differs'].includes(code)
      assert.ok(known, `${kind} ${dtype} ${field}: ${code}: ${message}`)
      assert.match(message, new RegExp(field, 'i'), `${kind} ${dtype} ${field}: ${message}`)
    }
    await data(['neural', 'eval', '--model', other, ...rows], { cwd })
  }
})
