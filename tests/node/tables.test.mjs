// Tables as people have them: columns of text, values that are missing, several numbers to predict,
// and none at all. What the program makes of them is compared with what a hand would.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, run, scratch } from './cli.mjs'

async function model(cwd, layers, ...more) {
  const file = join(cwd, 'm.json')
  const fixed = ['--layers', layers, '--output', file, '--seed', '1', '--force']
  await data(['neural', 'create', ...fixed, ...more], { cwd })
  return file
}

function table(cwd, rows, name = 'rows.csv') {
  const file = join(cwd, name)
  writeFileSync(file, rows.map((row) => row.join(',')).join('\n'))
  return file
}

const train = (cwd, file, rows, ...more) =>
  data(['neural', 'train', '--model', file, '--data', rows, '--seed', '1', ...more], { cwd })

const core = async () => (await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)).loadNeural()

const COLOURS = ['blue', 'green', 'red']

/** Size, colour and whether it sells: red does, and green if it is large. */
function goods(count) {
  return Array.from({ length: count }, (_, n) => {
    const [size, colour] = [(n * 7) % 10, COLOURS[(n * 5) % 3]]
    return [size, colour, colour === 'red' || (colour === 'green' && size > 4) ? 'yes' : 'no']
  })
}

const byHand = (rows) =>
  rows.map(([size, colour, ...rest]) => [
    size,
    ...COLOURS.map((one) => Number(one === colour)),
    ...rest,
  ])

test('a column of text gives the weights that columns of 0 and 1 give', async () => {
  const cwd = scratch()
  const rows = goods(60)
  const args = ['--epochs', '60', '--lr', '0.02', '--test-split', '0.2']
  const file = await model(cwd, '4,8,2')
  const header = [['size', 'colour', 'sells'], ...rows]
  const result = await train(cwd, file, table(cwd, header), ...args)
  assert.equal(result.testAccuracy, 1)
  const written = await model(scratch(), '4,8,2')
  const hand = await train(cwd, written, table(cwd, byHand(rows), 'hand.csv'), ...args)
  assert.equal(result.weightsCid, hand.weightsCid)

  // Any order of rows and columns of new tables, and even one row, is read as the model was trained.
  const unlabelled = header.slice(0, 3).map((row) => row.slice(0, 2))
  for (const [name, content, told] of [
    ['labelled', header.slice(0, 7), rows.slice(0, 6)],
    ['unlabelled', unlabelled, rows.slice(0, 2)],
    ['one', [[2, 'red']], [['', '', 'yes']]],
  ]) {
    const asked = ['neural', 'run', '--model', file, '--data', table(cwd, content, `${name}.csv`)]
    const { classes } = await data(asked, { cwd })
    assert.deepEqual(
      classes,
      told.map((row) => row[2]),
      name,
    )
  }
  const ask = ['neural', 'eval', '--model', file, '--data', join(cwd, 'rows.csv')]
  assert.equal((await data(ask, { cwd })).accuracy, 1)
  const { columns } = await data(['neural', 'info', '--model', file], { cwd })
  assert.deepEqual(columns, [{ name: 'size' }, { name: 'colour', categories: COLOURS }])
  const { stdout } = await run(['neural', 'info', '--model', file], { cwd })
  assert.match(stdout, /^ +1 +colour +3 +an error +3: blue, green, red$/m)
})

test('a category the model does not know is named with those it does', async () => {
  const cwd = scratch()
  const file = await model(cwd, '4,8,2')
  await train(cwd, file, table(cwd, goods(30)), '--epochs', '1')
  const rows = table(
    cwd,
    [
      [1, 'red'],
      [2, 'pink'],
    ],
    'new.csv',
  )
  for (const verb of ['run', 'eval']) {
    const content =
      verb === 'run'
        ? [
            [1, 'red'],
            [2, 'pink'],
          ]
        : [
            [1, 'red', 'no'],
            [2, 'pink', 'no'],
          ]
    table(cwd, content, 'new.csv')
    const { code, error } = await json(['neural', verb, '--model', file, '--data', rows], { cwd })
    assert.deepEqual([code, error.code], [1, 'data-unknown-category'], verb)
    assert.match(error.message, /new\.csv: row 2, column 2: 'pink' .*\(blue, green, red\)/)
  }
})

test('the size a network needs is the one after text became categories', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,8,2')
  const rows = table(cwd, goods(30))
  const { code, error } = await json(['neural', 'train', '--model', file, '--data', rows], { cwd })
  assert.deepEqual([code, error.code], [1, 'inputs-do-not-fit'])
  assert.match(error.message, /4 features in 2 columns.*2 inputs: make it 4/)
})

test('numbers are categories where the user says so', async () => {
  const cwd = scratch()
  const rows = Array.from({ length: 48 }, (_, n) => [n % 4, (n * 5) % 7, n % 4 === 2 ? 'a' : 'b'])
  const file = await model(cwd, '5,4,2')
  const args = ['--categories', '0', '--epochs', '3']
  const { weightsCid } = await train(cwd, file, table(cwd, rows), ...args)
  const hand = rows.map(([kind, ...rest]) => [
    ...[0, 1, 2, 3].map((k) => Number(k === kind)),
    ...rest,
  ])
  const other = await model(scratch(), '5,4,2')
  const { weightsCid: expected } = await train(
    cwd,
    other,
    table(cwd, hand, 'h.csv'),
    '--epochs',
    '3',
  )
  assert.equal(weightsCid, expected)
})

test('what is missing is an error that names its place, unless it is to be filled', async () => {
  const cwd = scratch()
  const gaps = goods(40).map(([size, colour, sells], n) => [
    n % 8 === 3 ? ['', 'NA', '?'][n % 3] : size,
    n % 9 === 4 ? '' : colour,
    sells,
  ])
  const rows = table(cwd, [['size', 'colour', 'sells'], ...gaps])
  const file = await model(cwd, '4,8,2')
  const plain = await json(['neural', 'train', '--model', file, '--data', rows], { cwd })
  assert.equal(plain.code, 1)
  assert.match(plain.error.message, /row \d+, column 1 \(size\)/)
  assert.match(plain.error.hint, /--missing mean/)

  const { weightsCid } = await train(cwd, file, rows, '--missing', 'mean', '--epochs', '5')
  const sizes = gaps.map(([size]) => size).filter((size) => typeof size === 'number')
  const mean = sizes.reduce((a, b) => a + b) / sizes.length
  const count = (colour) => gaps.filter((row) => row[1] === colour).length
  const usual = COLOURS.reduce((a, b) => (count(b) > count(a) ? b : a))
  const filled = gaps.map(([size, colour, sells]) => [
    typeof size === 'number' ? size : Math.fround(mean),
    colour === '' ? usual : colour,
    sells,
  ])
  const hand = await model(scratch(), '4,8,2')
  const expected = await train(cwd, hand, table(cwd, filled, 'hand.csv'), '--epochs', '5')
  assert.equal(weightsCid, expected.weightsCid)

  // The model fills what is missing in other tables with the same.
  const ask = async (content) => {
    const asked = table(cwd, content, 'ask.csv')
    return (await data(['neural', 'run', '--model', file, '--data', asked], { cwd })).outputs
  }
  assert.deepEqual(
    await ask([
      ['', 'red'],
      [3, ''],
    ]),
    await ask([
      [mean, 'red'],
      [3, usual],
    ]),
  )
  const { columns } = await data(['neural', 'info', '--model', file], { cwd })
  assert.deepEqual(
    columns.map(({ fill }) => fill),
    [Math.fround(mean), COLOURS.indexOf(usual)],
  )
  assert.equal((await data(['neural', 'eval', '--model', file, '--data', rows], { cwd })).rows, 40)
})

test('gaps are filled by the rows to train on, not by those held out', async () => {
  const cwd = scratch()
  const gaps = goods(40).map(([size, ...rest], n) => [n % 4 === 0 ? '' : size ** 2, ...rest])
  const rows = table(cwd, gaps)
  const file = await model(cwd, '4,4,2')
  await train(cwd, file, rows, '--missing', 'mean', '--epochs', '1', '--test-split', '0.5')
  const { columns } = await data(['neural', 'info', '--model', file], { cwd })
  const { Dataset } = await core()
  const all = Dataset.parse(readFileSync(rows), { encode: true, gaps: true })
  const [part] = all.split(0.5, 1n)
  assert.equal(columns[0].fill, part.fitColumns()[0].fill)
  assert.notEqual(columns[0].fill, all.fitColumns()[0].fill)
})

/** Two numbers and a text to predict them from: twice the first plus one, and minus the second. */
const PAIRS = Array.from({ length: 80 }, (_, n) => {
  const [a, b] = [(n % 9) / 4, (n % 7) / 3]
  return [100 - b, a, 2 * a + 1, b]
})

test('several numbers are predicted in the order they are named', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,16,2', '--loss', 'mse')
  const rows = table(cwd, [['minus', 'a', 'twice', 'b'], ...PAIRS])
  const args = ['--label', 'twice,minus', '--epochs', '150', '--lr', '0.01']
  const { task, loss, targetsScaled } = await train(cwd, file, rows, ...args)
  assert.deepEqual([task, targetsScaled], ['regression', true])
  assert.ok(loss < 0.01, `loss ${loss}`)
  const ask = [
    '--model',
    file,
    '--data',
    table(
      cwd,
      [
        [1, 0.5],
        [2, 2],
      ],
      'ask.csv',
    ),
  ]
  const { outputs } = await data(['neural', 'run', ...ask], { cwd })
  for (const [row, [a, b]] of [
    [1, 0.5],
    [2, 2],
  ].entries()) {
    const [twice, minus] = outputs[row]
    assert.ok(Math.abs(twice - (2 * a + 1)) < 0.4, `${twice}`)
    assert.ok(Math.abs(minus - (100 - b)) < 0.4, `${minus}`)
  }
  const evaluated = ['neural', 'eval', '--model', file, '--data', rows, '--label', 'twice,minus']
  const found = await data(evaluated, { cwd })
  assert.equal(found.loss, loss)
  assert.ok(found.meanAbsoluteError < 0.2, `${found.meanAbsoluteError}`)
  const classes = ['--label', 'a,b', '--task', 'classification']
  const fresh = await model(scratch(), '2,2')
  const refused = await json(['neural', 'train', '--model', fresh, '--data', rows, ...classes], {
    cwd,
  })
  assert.equal(refused.error.code, 'data-labels')
})

test('answers that do not exclude each other are learned each by itself', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,12,2', '--loss', 'bce', '--activation', 'tanh')
  const rows = Array.from({ length: 60 }, (_, n) => {
    const [x, y] = [n % 5, n % 6]
    return [x, y, Number(x > 1), Number(y > 3)]
  })
  const args = ['--label', '2,3', '--epochs', '150', '--lr', '0.02']
  const result = await train(cwd, file, table(cwd, rows), ...args)
  assert.deepEqual([result.targetsScaled, result.lossName], [false, 'bce'])
  const ask = ['--model', file, '--data', join(cwd, 'rows.csv')]
  const { outputs } = await data(['neural', 'run', ...ask], { cwd })
  assert.deepEqual(
    outputs.map((row) => row.map(Math.round)),
    rows.map((row) => row.slice(2)),
  )
  const beyond = await model(scratch(), '2,2', '--loss', 'bce')
  const wrong = table(
    cwd,
    rows.map(([x, y, a, b]) => [x, y, a * 2, b]),
    'wrong.csv',
  )
  const answer = await json(
    ['neural', 'train', '--model', beyond, '--data', wrong, '--label', '2,3'],
    { cwd },
  )
  assert.deepEqual([answer.code, answer.error.code], [1, 'targets-invalid'])
  assert.match(answer.error.message, /row \d+.*0 to 1/)
})

test('an autoencoder learns to give back its inputs, and stays one', async () => {
  const cwd = scratch()
  const file = join(cwd, 'm.json')
  const made = ['neural', 'create', '--architecture', 'autoencoder', '--output', file]
  const { stdout } = await run(made, { cwd })
  assert.match(stdout, /--task reconstruction/)
  const pixels = readFileSync(DIGITS, 'utf8')
    .trim()
    .split('\n')
    .map((row) => row.split(',').slice(0, 64))
  const rows = table(cwd, pixels)
  const args = ['--task', 'reconstruction', '--epochs', '10', '--test-split', '0.2']
  const result = await train(cwd, file, rows, ...args)
  assert.deepEqual([result.task, result.trainAccuracy], ['reconstruction', null])
  assert.ok(result.testLoss < 0.6, `${result.testLoss}: 1 is to answer the mean`)
  // A label is left out where it is named, and the task is known by now.
  const labelled = ['--model', file, '--data', DIGITS, '--label', '64']
  const again = await data(['neural', 'eval', ...labelled], { cwd })
  assert.deepEqual([again.task, again.rows], ['reconstruction', 1_797])
  const { outputs } = await data(['neural', 'run', '--model', file, '--data', rows], { cwd })
  assert.equal(outputs[0].length, 64)
  const error = (answer) =>
    pixels.reduce(
      (sum, row, n) => sum + row.reduce((all, one, at) => all + (one - answer(n, at)) ** 2, 0),
      0,
    )
  const means = pixels[0].map(
    (_, at) => pixels.reduce((sum, row) => sum + +row[at], 0) / pixels.length,
  )
  assert.ok(error((n, at) => outputs[n][at]) < 0.6 * error((_, at) => means[at]))
  const more = await train(cwd, file, rows, '--epochs', '2')
  assert.ok(more.loss < result.loss)
})

test('a reconstruction by sigmoid scales inputs to what it can give back', async () => {
  const cwd = scratch()
  const file = await model(cwd, '3,8,3', '--loss', 'bce')
  const rows = Array.from({ length: 50 }, (_, n) => [n % 5, 100 + (n % 7), -(n % 3)])
  const args = ['--task', 'reconstruction', '--epochs', '200', '--lr', '0.02']
  await train(cwd, file, table(cwd, rows), ...args)
  const ask = ['--model', file, '--data', join(cwd, 'rows.csv')]
  const { outputs } = await data(['neural', 'run', ...ask], { cwd })
  const worst = Math.max(
    ...outputs.flatMap((row, n) => row.map((x, at) => Math.abs(x - rows[n][at]))),
  )
  assert.ok(worst < 1.5, `${worst}`)
})

test('what the first training decided cannot be asked for again', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const rows = table(
    cwd,
    goods(30).map(([size, _, sells], n) => [size, n % 3, sells]),
  )
  await train(cwd, file, rows, '--range', '0,10', '--epochs', '1')
  const before = readFileSync(file)
  for (const more of [
    ['--range', '0,20'],
    ['--classes', 'no,perhaps'],
    ['--task', 'regression'],
    ['--missing', 'mean'],
    ['--categories', '0'],
  ]) {
    const answer = await json(['neural', 'train', '--model', file, '--data', rows, ...more], {
      cwd,
    })
    assert.deepEqual([answer.code, answer.error?.code], [1, 'model-trained'], more.join(' '))
    assert.ok(answer.error.message.startsWith(`${more[0]}:`))
  }
  assert.deepEqual(readFileSync(file), before)
  await train(cwd, file, rows, '--range', '0,10', '--classes', 'no,yes', '--epochs', '1')
})

test('a table is not read in two ways at once', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const rows = table(
    cwd,
    goods(30).map(([size, _, sells], n) => [size, n % 3, sells]),
  )
  const both = ['--test', rows, '--test-split', '0.2']
  const args = ['neural', 'train', '--model', file, '--data', rows]
  const { code, error } = await json([...args, ...both], { cwd })
  assert.deepEqual([code, error.code], [2, 'usage'])
  assert.match(error.message, /--test and --test-split/)
  const numbers = table(cwd, PAIRS, 'numbers.csv')
  const one = await model(scratch(), '3,1')
  const weights = ['--class-weights', 'balanced']
  const answer = await json(['neural', 'train', '--model', one, '--data', numbers, ...weights], {
    cwd,
  })
  assert.deepEqual([answer.code, answer.error.code], [1, 'option-invalid'])
  assert.match(answer.error.message, /class weights/)
})

test('a network above the limit is made with force, and trains', async () => {
  const cwd = scratch()
  const file = join(cwd, 'm.json')
  const args = ['neural', 'create', '--layers', '2,1024,1024,1', '--output', file]
  const { code, error } = await json(args, { cwd })
  assert.deepEqual([code, error.code], [1, 'parameters-too-many'])
  assert.match(error.message, /1053697 parameters.*1048576.*force.*16777216/)
  assert.match(error.hint, /--force/)
  assert.equal((await data([...args, '--force'], { cwd })).parameters, 1_053_697)
  const rows = table(
    cwd,
    PAIRS.slice(0, 8).map(([, a, twice, b]) => [a, b, twice]),
  )
  await train(cwd, file, rows, '--epochs', '1')
  assert.equal((await data(['neural', 'info', '--model', file], { cwd })).parameters, 1_053_697)
  const large = ['neural', 'create', '--layers', '2,8000,8000,1', '--output', file, '--force']
  const refused = await json(large, { cwd })
  assert.deepEqual([refused.code, refused.error.code], [1, 'parameters-too-many'])
})

test('a training that diverges at once names epoch and layer and leaves the model alone', async () => {
  const cwd = scratch()
  const file = await model(cwd, '1,8,1', '--activation', 'linear')
  const before = readFileSync(file)
  const rows = table(
    cwd,
    Array.from({ length: 60 }, (_, n) => [n, n ** 2 + 0.5]),
  )
  const args = ['--optimizer', 'sgd', '--lr', '100', '--batch', '4', '--epochs', '9']
  const all = ['neural', 'train', '--model', file, '--data', rows, ...args]
  const { code, error } = await json(all, { cwd })
  assert.deepEqual([code, error.code], [1, 'training-diverged'])
  assert.match(error.message, /epoch 1: the weights of layer \d are no longer finite/)
  assert.deepEqual(readFileSync(file), before)
})

test('bench gives durations in microseconds and rates, and changes nothing', async () => {
  const cwd = scratch()
  const file = await model(cwd, '4,8,2')
  const before = readFileSync(file)
  const rows = table(cwd, goods(40))
  const args = ['neural', 'bench', '--model', file, '--batch', '1,16', '--data', rows]
  const { parameters, run: timed, epoch } = await data(args, { cwd })
  assert.equal(parameters, 58)
  assert.deepEqual(
    timed.map(({ batch }) => batch),
    [1, 16],
  )
  assert.deepEqual([epoch.rows, epoch.batch], [40, 4])
  for (const { samples, p10Us, medianUs, p90Us } of [...timed, epoch]) {
    assert.ok(samples >= 11 && p10Us > 0 && p10Us <= medianUs && medianUs <= p90Us)
  }
  for (const { batch, medianUs, networksPerSecond } of timed) {
    assert.ok(Math.abs((networksPerSecond * medianUs) / 1e6 / batch - 1) < 1e-9)
  }
  assert.ok(Math.abs((epoch.rowsPerSecond * epoch.medianUs) / 1e6 / 40 - 1) < 1e-9)
  assert.deepEqual(readFileSync(file), before)
  const { stdout } = await run(['neural', 'bench', '--model', file, '--batch', '2'], { cwd })
  assert.match(stdout, /median µs +p10 µs +p90 µs +samples +networks\/s\nrunBatch +2 /)
  const wrong = await json(['neural', 'bench', '--model', file, '--batch', '0'], { cwd })
  assert.deepEqual([wrong.code, wrong.error.code], [2, 'usage'])
})
