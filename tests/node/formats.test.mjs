// Models in other forms of file, by the command line.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DIGITS, data, json, run, scratch } from './cli.mjs'

/** A network for the digits, trained a little. */
async function trained(cwd, name = 'm.json') {
  const file = join(cwd, name)
  await data(['neural', 'create', '--layers', '64,24,10', '--output', file], { cwd })
  const options = ['--data', DIGITS, '--epochs', '5', '--test-split', '0.2']
  const result = await data(['neural', 'train', '--model', file, ...options], { cwd })
  assert.ok(result.testAccuracy > 0.9)
  return file
}

const convert = (from, to, ...more) => ['neural', 'convert', from, to, ...more]

/** A few rows of digits without their labels. */
function rowsFile(cwd) {
  const rows = readFileSync(DIGITS, 'utf8').split('\n').slice(0, 4)
  const file = join(cwd, 'rows.csv')
  writeFileSync(file, rows.map((row) => row.slice(0, row.lastIndexOf(','))).join('\n'))
  return file
}

test('a model goes to safetensors and back with every bit', async () => {
  const cwd = scratch()
  const model = await trained(cwd)
  const [there, back] = [join(cwd, 'm.safetensors'), join(cwd, 'back.json')]
  const converted = await data(convert(model, there), { cwd })
  assert.equal(converted.largestError, 0)
  await data(convert(there, back), { cwd })
  assert.deepEqual(readFileSync(back), readFileSync(model))
  const rows = rowsFile(cwd)
  for (const verb of [
    ['run', '--data', rows],
    ['eval', '--data', DIGITS],
  ]) {
    const [name, ...options] = verb
    const ask = (file) => data(['neural', name, '--model', file, ...options], { cwd })
    assert.deepEqual(await ask(there), await ask(model))
  }
  const infos = await Promise.all(
    [model, there].map((file) => data(['neural', 'info', '--model', file], { cwd })),
  )
  assert.equal(infos[0].weightsCid, converted.weightsCid)
  assert.deepEqual(infos[0].scaling, infos[1].scaling)
})

test('a model is made, trained and used as safetensors from the start', async () => {
  const cwd = scratch()
  const model = await trained(cwd, 'm.safetensors')
  assert.equal(readFileSync(model)[8], '{'.charCodeAt(0))
  const other = await trained(scratch())
  const cid = async (file) => (await data(['neural', 'info', '--model', file], { cwd })).weightsCid
  assert.equal(await cid(model), await cid(other))
})

for (const [dtype, share, error, loss] of [
  ['f16', 0.7, 0.001, 0.002],
  ['int8', 0.5, 0.02, 0.02],
]) {
  test(`${dtype} is smaller, and how much worse is told`, async () => {
    const cwd = scratch()
    const model = await trained(cwd)
    for (const extension of ['json', 'safetensors']) {
      const small = join(cwd, `small.${extension}`)
      const options = ['--dtype', dtype, '--data', DIGITS]
      const told = await data(convert(model, small, ...options), { cwd })
      assert.ok(told.bytes < share * told.bytesBefore, `${told.bytes} of ${told.bytesBefore}`)
      assert.ok(told.largestError > 0 && told.largestError < error, `${told.largestError}`)
      assert.ok(Math.abs(told.before.accuracy - told.after.accuracy) < 0.01)
      assert.ok(Math.abs(told.before.loss - told.after.loss) < loss)
      const seen = await data(['neural', 'eval', '--model', small, '--data', DIGITS], { cwd })
      assert.deepEqual([seen.accuracy, seen.loss], [told.after.accuracy, told.after.loss])
      const full = join(cwd, `full-${extension}.json`)
      const again = await data(convert(small, full), { cwd })
      assert.equal(again.weightsCid, told.weightsCid)
      const { stdout } = await run(convert(model, small, ...options, '--force'), { cwd })
      assert.match(stdout, /largest error of a weight +0\.0\d+\n/)
      assert.match(stdout, /accuracy +9\d\.\d+ ?% to 9\d\.\d+ ?%/)
    }
  })
}

test('ONNX is written, and whoever tries to read it is told so', async () => {
  const cwd = scratch()
  const model = await trained(cwd)
  const onnx = join(cwd, 'm.onnx')
  const told = await data(convert(model, onnx), { cwd })
  assert.equal(told.largestError, null)
  assert.ok(readFileSync(onnx).includes('layers.0.weight'))
  for (const args of [
    ['neural', 'run', '--model', onnx, '--data', DIGITS],
    ['neural', 'info', '--model', onnx],
    convert(onnx, join(cwd, 'x.json')),
  ]) {
    const { code, error } = await json(args, { cwd })
    assert.deepEqual([code, error.code], [1, 'format-not-read'])
    assert.ok(error.hint.length > 0)
  }
})

test('what cannot be is refused, and nothing is written', async () => {
  const cwd = scratch()
  const model = await trained(cwd)
  const [target, damaged] = [join(cwd, 'x.safetensors'), join(cwd, 'damaged.safetensors')]
  await data(convert(model, damaged), { cwd })
  const bytes = readFileSync(damaged)
  writeFileSync(damaged, bytes.subarray(0, bytes.length - 10))
  const before = readdirSync(cwd).sort()
  for (const [args, code, name] of [
    [convert(model, join(cwd, 'x.pt')), 2, 'usage'],
    [convert(join(cwd, 'm.pt'), target), 2, 'usage'],
    [convert(model, target, '--dtype', 'f8'), 2, 'usage'],
    [convert(model, join(cwd, 'x.onnx'), '--dtype', 'int8'), 2, 'usage'],
    [convert(model, join(cwd, 'x.onnx'), '--data', DIGITS), 2, 'usage'],
    [['neural', 'create', '--layers', '2,1', '--output', join(cwd, 'x.onnx')], 2, 'usage'],
    [convert(model, damaged), 1, 'exists'],
    [convert(join(cwd, 'no.json'), target), 1, 'no-such-file'],
    [convert(model, join(cwd, 'no', 'x.json')), 1, 'no-such-file'],
    [convert(damaged, target), 1, 'model-truncated'],
    [['neural', 'eval', '--model', damaged, '--data', DIGITS], 1, 'model-truncated'],
  ]) {
    const answer = await json(args, { cwd })
    assert.deepEqual([answer.code, answer.error.code], [code, name], args.join(' '))
    if (name === 'model-truncated') assert.ok(answer.error.message.includes('damaged.safetensors'))
  }
  assert.deepEqual(readdirSync(cwd).sort(), before)
  assert.ok(!existsSync(target))
  await data(convert(model, damaged, '--force'), { cwd })
})
