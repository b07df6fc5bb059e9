// `neural train`: optimisers and schedules, held-out rows that choose the epoch, and trainings that
// end before they are done.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, scratch, start } from './cli.mjs'

/** A model file of these layers. */
async function model(cwd, layers, ...more) {
  const file = join(cwd, 'm.json')
  const fixed = ['--layers', layers, '--output', file, '--seed', '1', '--force']
  await data(['neural', 'create', ...fixed, ...more], { cwd })
  return file
}

function table(cwd, text) {
  const file = join(cwd, 'rows.csv')
  writeFileSync(file, text)
  return file
}

/** Two clouds of points, of which a line can tell most apart; `noise` of 10 are in the wrong one. */
function clouds(rows, noise = 0) {
  return Array.from({ length: rows }, (_, row) => {
    const side = row % 2
    const spread = ((row * 37) % 11) / 11
    const told = (row * 7) % 10 < noise ? 1 - side : side
    return `${side * 2 + spread},${((row * 53) % 7) / 7},${['left', 'right'][told]}`
  }).join('\n')
}

const train = (cwd, file, rows, ...more) =>
  data(['neural', 'train', '--model', file, '--data', rows, '--seed', '1', ...more], { cwd })

const core = async () => (await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)).loadNeural()

for (const [name, ...more] of [
  ['sgd', '--momentum', '0.5'],
  ['nesterov'],
  ['rmsprop', '--lr', '0.01'],
  ['adam', '--lr', '0.01'],
  ['adamw', '--lr', '0.01', '--weight-decay', '0.02'],
]) {
  test(`${name} learns to tell two clouds apart`, async () => {
    const cwd = scratch()
    const file = await model(cwd, '2,8,2')
    const args = ['--optimizer', name, '--epochs', '40', ...more]
    const { trainAccuracy } = await train(cwd, file, table(cwd, clouds(120)), ...args)
    assert.ok(trainAccuracy >= 0.95, `accuracy ${trainAccuracy}`)
  })
}

test('every setting of a step changes what is learned', async () => {
  const settings = [
    [],
    ['--clip-norm', '0.1'],
    ['--warm-up', '20'],
    ['--decay-epochs', '1'],
    ['--decay-epochs', '1', '--decay-factor', '0.1'],
    ['--cosine'],
    ['--cosine', '0.5'],
    ['--weight-decay', '0.3'],
    ['--class-weights', 'balanced'],
    ['--class-weights', '1,4'],
  ]
  const uneven = clouds(90)
    .split('\n')
    .filter((row, index) => !row.endsWith('left') || index % 3 === 0)
    .join('\n')
  const seen = new Set()
  for (const setting of settings) {
    const cwd = scratch()
    const file = await model(cwd, '2,4,2')
    const { weightsCid } = await train(
      cwd,
      file,
      table(cwd, uneven),
      '--epochs',
      '3',
      '--optimizer',
      'sgd',
      ...setting,
    )
    seen.add(weightsCid)
  }
  assert.equal(seen.size, settings.length)
})

test('what cannot be meant is a mistake of the command line', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const rows = table(cwd, clouds(40))
  const mistakes = [
    [['--momentum', '0.9'], /sgd, nesterov and incremental/],
    [['--decay-factor', '0.1'], /--decay-epochs/],
    [['--cosine', '--decay-epochs', '2'], /two ways/],
    [['--cosine', '1.5'], /cosine/],
    [['--patience', '3'], /held out/],
    [['--optimizer', 'lion'], /adamw/],
    [['--algorithm', 'lion'], /adamw.*cascade/],
    [['--class-weights', '1,-1'], /balanced/],
    [['--clip-norm', '0'], /clip-norm/],
    [['--weight-decay', '1'], /less than 1/],
  ]
  const before = readFileSync(file)
  for (const [more, message] of mistakes) {
    const args = ['neural', 'train', '--model', file, '--data', rows, ...more]
    const { code, error } = await json(args, { cwd })
    assert.deepEqual([code, error.code], [2, 'usage'], more.join(' '))
    assert.match(error.message, message)
  }
  const weights = ['--class-weights', '1,2,3']
  const three = await json(['neural', 'train', '--model', file, '--data', rows, ...weights], {
    cwd,
  })
  assert.deepEqual([three.code, three.error.code], [1, 'option-invalid'])
  assert.deepEqual(readFileSync(file), before)
})

test('with validation the best epoch is kept, and patience ends the training', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,32,2')
  const rows = table(cwd, clouds(200, 3))
  const split = ['--validation-split', '0.25', '--test-split', '0.2']
  const options = ['--epochs', '400', '--lr', '0.05', '--patience', '10', ...split]
  const result = await train(cwd, file, rows, ...options)
  assert.equal(result.ended, 'patience')
  assert.equal(result.epochs, result.bestEpoch + 10)
  assert.ok(result.epochs < 400)
  assert.deepEqual(result.rows, { train: 120, validation: 40, test: 40 })
  assert.ok(result.validationLoss > 0 && result.validationAccuracy > 0.5)

  // The same training, ended by hand at the best epoch, has the same weights.
  const again = await model(cwd, '2,32,2')
  const upTo = ['--epochs', String(result.bestEpoch), '--lr', '0.05', ...split]
  const short = await train(cwd, again, rows, ...upTo)
  assert.deepEqual([short.ended, short.bestEpoch], ['epochs', result.bestEpoch])
  assert.equal(short.weightsCid, result.weightsCid)
})

test('with --progress every epoch is an event before the result', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const args = ['--epochs', '5', '--validation-split', '0.25', '--json', '--progress']
  const rows = table(cwd, clouds(80))
  const child = start(['neural', 'train', '--model', file, '--data', rows, ...args], { cwd })
  const chunks = []
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  const lines = Buffer.concat(chunks).toString().trim().split('\n').map(JSON.parse)
  const last = lines.pop()
  assert.deepEqual([last.ok, last.data.epochs], [true, 5])
  assert.deepEqual(
    lines.map(({ event, data }) => [event, data.epoch, data.epochs]),
    [1, 2, 3, 4, 5].map((epoch) => ['epoch', epoch, 5]),
  )
  const { loss, accuracy, validation, secondsLeft } = lines[4].data
  assert.ok(accuracy > 0 && accuracy <= 1)
  assert.ok(loss > 0 && validation.loss > 0 && validation.accuracy >= 0)
  assert.equal(secondsLeft, 0)
})

/** Starts a training that would take days, and interrupts it when it is under way. */
async function interrupted(cwd, args) {
  const child = start(['neural', 'train', '--epochs', '1000000', '--json', ...args], { cwd })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  const shown = new Promise((resolve) => {
    child.stderr.on('data', (chunk) => {
      stderr += chunk
      if (stderr.includes('\n')) resolve()
    })
  })
  const closed = once(child, 'close')
  await Promise.race([shown, closed])
  child.kill('SIGINT')
  const [code] = await closed
  return { code, stderr, answer: JSON.parse(stdout) }
}

test('Ctrl-C ends a training with 130 and keeps what it has learned', async () => {
  const cwd = scratch()
  const file = await model(cwd, '64,64,10')
  const { code, stderr, answer } = await interrupted(cwd, ['--model', file, '--data', DIGITS])
  assert.equal(code, 130)
  assert.equal(answer.error.code, 'interrupted')
  assert.match(
    stderr,
    /^training: \d+\/1000000 loss \d\.\d+, accuracy [\d.]+ %, \d[\d.]* (s|min|h) left\n/,
  )
  assert.match(stderr, /wrote .*m\.json after \d+ epochs\n/)
  const { data } = answer
  assert.equal(data.ended, 'interrupted')
  assert.ok(data.epochs >= 1 && data.trainAccuracy > 0.5)
  const kept = (await core()).Network.fromModel(readFileSync(file))
  assert.equal(kept.weightsCid(), data.weightsCid)
  assert.equal(kept.classes.length, 10)
})

test('Ctrl-C with validation keeps the best epoch, not the last', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,32,2')
  const rows = ['--data', table(cwd, clouds(200, 3)), '--validation-split', '0.25', '--lr', '0.05']
  const { code, answer } = await interrupted(cwd, ['--model', file, ...rows])
  assert.equal(code, 130)
  assert.ok(answer.data.bestEpoch < answer.data.epochs)
  const kept = (await core()).Network.fromModel(readFileSync(file))
  assert.equal(kept.weightsCid(), answer.data.weightsCid)
})

test('a training that diverges later on keeps the last weights that were finite', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,16,1', '--activation', 'linear')
  const numbers = Array.from({ length: 40 }, (_, n) => `${n / 10},${n % 7},${n / 4}`).join('\n')
  const args = ['--optimizer', 'sgd', '--lr', '1', '--batch', '40', '--epochs', '1000']
  const rows = ['--model', file, '--data', table(cwd, numbers)]
  const answer = await json(['neural', 'train', ...rows, ...args], { cwd })
  assert.deepEqual([answer.code, answer.error.code], [1, 'training-diverged'])
  assert.match(answer.error.message, /epoch \d+.*layer/)
  assert.equal(answer.data.ended, 'diverged')
  assert.ok(answer.data.epochs >= 1)
  const kept = (await core()).Network.fromModel(readFileSync(file))
  assert.equal(kept.weightsCid(), answer.data.weightsCid)
})

// The targets of a regression are scaled to deviation 1 for a network that can answer anything. One
// that ends in sigmoid could not reach them, and answered 0.5 to 1 for targets from 0 to 1.
test('a probability is learned as the number it is', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,8,1', '--loss', 'bce', '--activation', 'tanh')
  const rows = table(cwd, '0,0,0\n0,1,1\n1,0,1\n1,1,0\n')
  const args = ['--epochs', '400', '--lr', '0.05', '--range', '0,1']
  const result = await train(cwd, file, rows, ...args)
  assert.equal(result.task, 'regression')
  assert.ok(result.loss < 0.05, `loss ${result.loss}`)
  const ask = ['neural', 'run', '--model', file, '--data', rows]
  const { outputs } = await data(ask, { cwd })
  assert.deepEqual(
    outputs.map(([one]) => Math.round(one)),
    [0, 1, 1, 0],
  )
})
