import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, run, scratch } from './cli.mjs'

/** A model file of these layers. */
async function model(cwd, layers, ...more) {
  const file = join(cwd, 'm.json')
  const fixed = ['--layers', layers, '--output', file, '--seed', '1', '--force']
  await data(['neural', 'create', ...fixed, ...more], { cwd })
  return file
}

function table(cwd, text, name = 'rows.csv') {
  const file = join(cwd, name)
  writeFileSync(file, text)
  return file
}

/** Two clouds of points that a line can tell apart. */
function clouds(rows, names = ['left', 'right']) {
  return Array.from({ length: rows }, (_, row) => {
    const side = row % 2
    const spread = ((row * 37) % 11) / 11
    return `${side * 4 + spread},${((row * 53) % 7) / 7},${names[side]}`
  }).join('\n')
}

/** What the same settings give natively and in browsers. */
const GOLDEN = JSON.parse(
  readFileSync(new URL('../vectors/weights_cid.json', import.meta.url), 'utf8'),
).digits.weightsCid

test('digits: 64-128-10, 20 epochs, at least 0.97 on held-out rows, the same bits', async () => {
  const cwd = scratch()
  const file = await model(cwd, '64,128,10')
  const args = ['--data', DIGITS, '--epochs', '20', '--seed', '1', '--test-split', '0.2']
  const result = await data(['neural', 'train', '--model', file, ...args], { cwd })
  assert.ok(result.testAccuracy >= 0.97, `test accuracy ${result.testAccuracy}`)
  assert.ok(result.trainAccuracy >= result.testAccuracy)
  assert.equal(result.epochs, 20)
  assert.ok(result.loss > 0 && result.loss < 1)
  assert.equal(result.weightsCid, GOLDEN)
  const rows = readFileSync(DIGITS, 'utf8').split('\n').slice(0, 5)
  const withLabels = table(cwd, rows.join('\n'))
  const answers = await data(['neural', 'run', '--model', file, '--data', withLabels], { cwd })
  assert.deepEqual(
    answers.classes,
    rows.map((row) => row.split(',').at(-1)),
  )
  assert.equal(answers.outputs.length, 5)
  assert.equal(answers.outputs[0].length, 10)
  const unlabelled = table(cwd, rows.map((row) => row.slice(0, row.lastIndexOf(','))).join('\n'))
  assert.deepEqual(
    await data(['neural', 'run', '--model', file, '--data', unlabelled], { cwd }),
    answers,
  )
})

test('the same seed and rows give the same weights; another seed gives others', async () => {
  const train = async (seed) => {
    const cwd = scratch()
    const file = await model(cwd, '64,16,10')
    const args = ['--data', DIGITS, '--epochs', '2', '--seed', seed]
    return (await data(['neural', 'train', '--model', file, ...args], { cwd })).weightsCid
  }
  const [first, second, other] = [await train('7'), await train('7'), await train('8')]
  assert.equal(first, second)
  assert.notEqual(first, other)
})

test('a header, names as classes and a named label column are found out', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,8,2')
  const rows = table(cwd, `x,y,side\n${clouds(200)}`)
  const args = [
    '--data',
    rows,
    '--epochs',
    '60',
    '--lr',
    '0.05',
    '--seed',
    '1',
    '--test-split',
    '0.2',
  ]
  const result = await data(['neural', 'train', '--model', file, ...args], { cwd })
  assert.deepEqual(result.classes, ['left', 'right'])
  assert.equal(result.testAccuracy, 1)
  const first = table(
    cwd,
    `side,x,y\n${clouds(50)
      .split('\n')
      .map((row) => row.split(','))
      .map(([x, y, side]) => `${side},${x},${y}`)
      .join('\n')}`,
  )
  const moved = await model(cwd, '2,8,2')
  const label = ['--label', 'side', '--epochs', '60', '--lr', '0.05']
  const other = await data(['neural', 'train', '--model', moved, '--data', first, ...label], {
    cwd,
  })
  assert.equal(other.trainAccuracy, 1)
})

// A model that had learned from rows as they are, which programs can do, was given scaled ones the
// next time, and refused them.
test('training goes on with whatever scaling the model has learned with', async () => {
  const cwd = scratch()
  const rows = table(cwd, clouds(80))
  const { loadNeural } = await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)
  const { Dataset, Network } = await loadNeural()
  const seen = Dataset.parse(readFileSync(rows))
  for (const scaling of [undefined, seen.scaling('none'), seen.scaling('standard')]) {
    const file = await model(cwd, '2,8,2')
    const learned = scaling === undefined ? seen : seen.standardise(scaling)
    const network = Network.fromModel(readFileSync(file))
    network.train(learned, { epochs: 1 })
    writeFileSync(file, network.toModel())
    const again = ['neural', 'train', '--model', file, '--data', rows, '--epochs', '1']
    await data(again, { cwd })
    await data([...again, '--test-split', '0.25'], { cwd })
    assert.deepEqual(Network.fromModel(readFileSync(file)).scaling, network.scaling)
  }
})

test('a model can be run before it is trained, and trained again and again', async () => {
  const numbers = Array.from({ length: 40 }, (_, n) => `${n / 10},${n % 7},${n / 4}`).join('\n')
  for (const [layers, rows, unlabelled] of [
    ['2,4,2', clouds(40), '1,1\n'],
    ['2,4,1', numbers, '1,1\n'],
  ]) {
    const cwd = scratch()
    const file = await model(cwd, layers)
    const held = table(cwd, rows, 'held.csv')
    const inputs = table(cwd, unlabelled, 'inputs.csv')
    const ask = () => data(['neural', 'run', '--model', file, '--data', inputs], { cwd })
    const before = readFileSync(file)
    assert.deepEqual((await ask()).classes, [])
    assert.deepEqual(readFileSync(file), before)
    const train = ['neural', 'train', '--model', file, '--data', table(cwd, rows), '--epochs', '1']
    const first = await data(train, { cwd })
    const second = await data([...train, '--test', held], { cwd })
    assert.notEqual(second.weightsCid, first.weightsCid)
    assert.equal((await ask()).outputs.length, 1)
  }
})

test('numbers as labels are a regression', async () => {
  const cwd = scratch()
  const rows = table(
    cwd,
    Array.from({ length: 200 }, (_, n) => `${n / 10},${(n % 7) / 7},${(n / 10) * 2.5 + 0.25}`).join(
      '\n',
    ),
  )
  const file = await model(cwd, '2,16,1')
  const args = [
    '--data',
    rows,
    '--epochs',
    '80',
    '--lr',
    '0.01',
    '--seed',
    '1',
    '--test-split',
    '0.25',
  ]
  const result = await data(['neural', 'train', '--model', file, ...args], { cwd })
  assert.equal(result.task, 'regression')
  assert.equal(result.testAccuracy, null)
  assert.ok(result.testLoss < 0.05, `test loss ${result.testLoss}`)
  const answers = await data(['neural', 'run', '--model', file, '--data', table(cwd, '10,0.5\n')], {
    cwd,
  })
  assert.ok(Math.abs(answers.outputs[0][0] - 25.25) < 2.5, `answer ${answers.outputs[0][0]}`)
  assert.deepEqual(answers.classes, [])
})

const good = clouds(40)
const BAD_ROWS = [
  ['empty', '', 'data-empty'],
  ['ragged', `${good}\n1,left`, 'data-ragged'],
  ['text in a number column', `${good}\n1,two,left`, 'data-not-a-number'],
  ['NaN', `${good}\nNaN,2,left`, 'data-not'],
  ['infinity', `${good}\ninf,2,left`, 'data-not'],
  ['a gap', `${good}\n,2,left`, 'data-field-empty'],
  ['one class', good.replaceAll('right', 'left'), 'data-one-class'],
  ['only a label', 'left\nright\nleft', 'data-no-features'],
  ['no text', Buffer.from([0xff, 0xfe, 0, 1, 2, 3]), 'data-'],
  ['an open quote', `${good}\n"1,2,left\n`, 'data-'],
]

for (const [what, content, code] of BAD_ROWS) {
  test(`rows are refused: ${what}`, async () => {
    const cwd = scratch()
    const file = await model(cwd, '2,4,2')
    const before = readFileSync(file)
    const answer = await json(['neural', 'train', '--model', file, '--data', table(cwd, content)], {
      cwd,
    })
    assert.equal(answer.code, 1)
    assert.ok(answer.error.code.startsWith(code), `${answer.error.code}: ${answer.error.message}`)
    assert.match(answer.error.message, /rows\.csv/)
    assert.notEqual(answer.error.hint, '')
    assert.deepEqual(readFileSync(file), before)
    assert.deepEqual(readdirSync(cwd).sort(), ['m.json', 'rows.csv'])
  })
}

test('a label column that is not there is named', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const args = ['--data', table(cwd, `x,y,side\n${good}`), '--label', 'colour']
  const answer = await json(['neural', 'train', '--model', file, ...args], { cwd })
  assert.equal(answer.error.code, 'data-no-label')
  assert.match(answer.error.message, /colour/)
})

test('layers that do not fit say which size would', async () => {
  const cwd = scratch()
  const rows = table(cwd, good)
  const last = await json(
    ['neural', 'train', '--model', await model(cwd, '2,4,3'), '--data', rows],
    { cwd },
  )
  assert.equal(last.code, 1)
  assert.match(last.error.message, /2 classes.*3 units.*make it 2/)
  const first = await json(
    ['neural', 'train', '--model', await model(cwd, '5,4,2'), '--data', rows],
    { cwd },
  )
  assert.match(first.error.message, /2 features.*5 inputs/)
})

test('a model file that is cut, changed or something else is refused', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const rows = table(cwd, good)
  const whole = readFileSync(file, 'utf8')
  const variants = [
    whole.slice(0, whole.length / 2),
    '',
    '{}',
    '[1,2,3]',
    'not json',
    whole.replace('"relu"', '"rely"'),
    readFileSync(DIGITS, 'utf8').slice(0, 1_000),
  ]
  for (const variant of variants) {
    writeFileSync(file, variant)
    for (const args of [['train'], ['run']]) {
      const answer = await json(['neural', ...args, '--model', file, '--data', rows], { cwd })
      assert.equal(answer.code, 1, variant.slice(0, 20))
      assert.match(answer.error.code, /^model-/)
    }
    assert.equal(readFileSync(file, 'utf8'), variant)
  }
})

test('files that are missing or cannot be written are named, and nothing is half-written', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const rows = table(cwd, good)
  const none = await json(['neural', 'train', '--model', file, '--data', 'none.csv'], { cwd })
  assert.deepEqual([none.code, none.error.code], [1, 'no-such-file'])
  const noModel = await json(['neural', 'train', '--model', 'none.json', '--data', rows], { cwd })
  assert.match(noModel.error.message, /none\.json/)
  const target = ['--output', join(cwd, 'no', 'where.json')]
  const nowhere = await json(['neural', 'create', '--layers', '2,2', ...target], { cwd })
  assert.deepEqual([nowhere.code, nowhere.error.code], [1, 'no-such-file'])
  const folder = await json(['neural', 'create', '--layers', '2,2', '--output', cwd], { cwd })
  assert.equal(folder.code, 1)
  assert.deepEqual(readdirSync(cwd).sort(), ['m.json', 'rows.csv'])
})

test('a full disk keeps the old model and leaves no rest', async () => {
  const cwd = scratch()
  const file = await model(cwd, '64,128,10')
  const before = readFileSync(file)
  const shell = ['bash', '-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath]
  const args = ['neural', 'train', '--model', file, '--data', DIGITS, '--epochs', '1']
  const command = [...shell, join(PACKAGE, 'bin', 'cli.mjs')]
  const answer = await json(args, { cwd, command })
  assert.deepEqual([answer.code, answer.error?.code], [1, 'disk-full'])
  assert.deepEqual(readFileSync(file), before)
  assert.deepEqual(readdirSync(cwd), ['m.json'])
})

test('the result goes to stdout and progress does not', async () => {
  const cwd = scratch()
  const file = await model(cwd, '2,4,2')
  const { stdout } = await run(['neural', 'train', '--model', file, '--data', table(cwd, good)], {
    cwd,
  })
  assert.match(stdout, /accuracy/)
  assert.doesNotMatch(stdout, /training:/)
  assert.ok(existsSync(file))
})
