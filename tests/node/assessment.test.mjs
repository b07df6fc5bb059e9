// `neural eval` and `neural info`: what a model is, and how well it does on rows.
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DIGITS, data, json, run, scratch } from './cli.mjs'

/** A model file of these layers. */
async function model(cwd, layers, ...more) {
  const file = join(cwd, 'm.json')
  const fixed = ['--layers', layers, '--output', file, '--seed', '1']
  await data(['neural', 'create', ...fixed, ...more], { cwd })
  return file
}

function table(cwd, text, name = 'rows.csv') {
  const file = join(cwd, name)
  writeFileSync(file, text)
  return file
}

/** Points on both sides of 2, told by names. */
const SIDES = Array.from({ length: 60 }, (_, n) => `${n / 15},${n % 7},${n < 30 ? 'low' : 'high'}`)

async function trained(cwd, layers, rows, ...more) {
  const file = await model(cwd, layers)
  await data(['neural', 'train', '--model', file, '--data', rows, ...more], { cwd })
  return file
}

test('digits: loss and accuracy as in training, and every row somewhere in the confusions', async () => {
  const cwd = scratch()
  const lines = readFileSync(DIGITS, 'utf8').trim().split('\n')
  const held = table(cwd, lines.slice(0, 300).join('\n'), 'held.csv')
  const rest = table(cwd, lines.slice(300).join('\n'))
  const file = await model(cwd, '64,32,10')
  const args = ['--model', file, '--data', rest, '--test', held, '--epochs', '5']
  const { testLoss, testAccuracy } = await data(['neural', 'train', ...args], { cwd })
  const ask = ['neural', 'eval', '--model', file, '--data', held]
  const found = await data(ask, { cwd })
  assert.deepEqual([found.loss, found.accuracy], [testLoss, testAccuracy])
  assert.deepEqual(
    [found.rows, found.task, found.lossName],
    [300, 'classification', 'cross-entropy'],
  )
  const counts = found.confusion.flat()
  assert.equal(
    counts.reduce((a, b) => a + b),
    300,
  )
  const right = found.confusion.reduce((sum, row, index) => sum + row[index], 0)
  assert.equal(right / 300, testAccuracy)
  const labels = lines.slice(0, 300).map((line) => line.split(',').at(-1))
  assert.deepEqual(
    found.confusion.map((row) => row.reduce((a, b) => a + b)),
    found.classes.map((name) => labels.filter((label) => label === name).length),
  )
  const { stdout } = await run(ask, { cwd })
  assert.match(stdout, /^accuracy +\d+\.\d %$/m)
  assert.match(stdout, /^is \/ told +0 +1 +2/m)
})

test('rows are read as the model was trained: header, label column, names', async () => {
  const cwd = scratch()
  const file = await trained(cwd, '2,8,2', table(cwd, SIDES.join('\n')), '--epochs', '60')
  const moved = SIDES.map((row) => row.split(',')).map(([x, y, side]) => `${side},${x},${y}`)
  const other = table(cwd, `side,x,y\n${moved.slice(0, 20).join('\n')}`, 'other.csv')
  const args = ['--model', file, '--data', other, '--label', 'side']
  const found = await data(['neural', 'eval', ...args], { cwd })
  assert.deepEqual(found.classes, ['high', 'low'])
  // Only one class occurs in these rows, which training would refuse.
  assert.deepEqual(found.confusion[0], [0, 0])
  assert.equal(found.confusion[1][0] + found.confusion[1][1], 20)
  const unknown = table(cwd, '1,1,middle\n', 'unknown.csv')
  const refused = await json(['neural', 'eval', '--model', file, '--data', unknown], { cwd })
  assert.equal(refused.code, 1)
  assert.match(refused.error.message, /unknown\.csv.*middle/)
})

test('numbers have a mean error in their own units', async () => {
  const cwd = scratch()
  const rows = Array.from({ length: 80 }, (_, n) => `${n / 10},${n % 3},${100 + n}`).join('\n')
  const file = await trained(cwd, '2,8,1', table(cwd, rows), '--epochs', '100', '--lr', '0.02')
  const args = ['neural', 'eval', '--model', file, '--data', join(cwd, 'rows.csv')]
  const found = await data(args, { cwd })
  assert.deepEqual([found.task, found.accuracy, found.confusion], ['regression', null, []])
  assert.ok(found.meanAbsoluteError > 0 && found.meanAbsoluteError < 5, found.meanAbsoluteError)
  assert.match((await run(args, { cwd })).stdout, /^mean error/m)
})

test('more classes than fit a screen are told by what is mixed up', async () => {
  const cwd = scratch()
  const rows = Array.from({ length: 75 }, (_, n) => `${n % 25},${n % 4},c${n % 25}`).join('\n')
  const file = await trained(cwd, '2,8,25', table(cwd, rows), '--epochs', '1')
  const args = ['neural', 'eval', '--model', file, '--data', join(cwd, 'rows.csv')]
  const { stdout } = await run(args, { cwd })
  assert.match(stdout, /^is +told +rows\nc\d+ +c\d+ +\d/m)
  assert.ok(stdout.split('\n').length < 18)
})

test('info tells what a model is, before and after training', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,8,2', '--activation', 'tanh')
  const args = ['neural', 'info', '--model', file]
  const before = await data(args, { cwd })
  assert.deepEqual([before.task, before.scaling, before.classes], [null, null, []])
  await data(['neural', 'train', '--model', file, '--data', table(cwd, SIDES.join('\n'))], { cwd })
  const after = await data(args, { cwd })
  assert.deepEqual(after.layers, [
    { type: 'dense', output: [8], parameters: 24 },
    { type: 'dense', output: [2], parameters: 18 },
  ])
  assert.deepEqual(
    [after.parameters, after.task, after.classes],
    [42, 'classification', ['high', 'low']],
  )
  assert.equal(after.scaling.offset.length, 2)
  assert.equal(after.bytes, statSync(file).size)
  assert.notEqual(after.weightsCid, before.weightsCid)
  const { stdout } = await run(args, { cwd })
  assert.match(stdout, /^1 +dense +tanh +8 +24$/m)
  assert.match(stdout, /^classes +2: high, low$/m)
  assert.match(stdout, /^weights +bafk\w+$/m)
})

test('a file that is no model, or not there, is named', async () => {
  const cwd = scratch()
  const other = table(cwd, '{"format":"something"}', 'other.json')
  for (const verb of ['info', 'eval']) {
    const rows = verb === 'eval' ? ['--data', table(cwd, SIDES.join('\n'))] : []
    const foreign = await json(['neural', verb, '--model', other, ...rows], { cwd })
    assert.deepEqual([foreign.code, foreign.error.code], [1, 'model-foreign'])
    assert.match(foreign.error.message, /other\.json/)
    const missing = await json(['neural', verb, '--model', 'none.json', ...rows], { cwd })
    assert.deepEqual([missing.code, missing.error.code], [1, 'no-such-file'])
  }
})
