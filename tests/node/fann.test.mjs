// FANN on the command line: networks made, trained, grown, told about, run, and turned into FANN
// files and back; files that libfann wrote give the outputs that libfann gives.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DIGITS, data, json, run, scratch } from './cli.mjs'

const VECTORS = fileURLToPath(new URL('../vectors/fann/', import.meta.url))

const XOR = '0,0,0\n0,1,1\n1,0,1\n1,1,0\n'

function write(cwd, name, text) {
  const file = join(cwd, name)
  writeFileSync(file, text)
  return file
}

/** A `neural` command in a folder of its own, which must succeed. */
const neural = (cwd, ...args) => data(['neural', ...args], { cwd })

/** Two clouds of points, of which a line can tell most apart. */
function clouds(rows) {
  return Array.from({ length: rows }, (_, row) => {
    const side = row % 2
    return `${side * 2 + ((row * 37) % 11) / 11},${((row * 53) % 7) / 7},${['left', 'right'][side]}`
  }).join('\n')
}

test('a cascade grows a network whose file says how many neurons it added', async () => {
  const cwd = scratch()
  const [rows, inputs] = [write(cwd, 'xor.csv', XOR), write(cwd, 'in.csv', '0,0\n0,1\n1,0\n1,1\n')]
  const file = join(cwd, 'm.json')
  const made = ['--shortcut', '--layers', '2,1', '--output-activation', 'sigmoid']
  await neural(cwd, 'create', ...made, '--output', file)
  const before = await neural(cwd, 'info', '--model', file)
  assert.deepEqual([before.fann.cascadeNeurons, before.fann.connections], [0, 3])
  const grow = ['train', '--model', file, '--data', rows, '--algorithm', 'cascade']
  const result = await neural(cwd, ...grow, '--task', 'regression', '--max-neurons', '5')
  assert.deepEqual([result.algorithm, result.ended], ['cascade', 'done'])
  assert.ok(result.neurons > 0)
  const { fann, specification, scaling } = await neural(cwd, 'info', '--model', file)
  assert.equal(specification, null)
  assert.equal(fann.cascadeNeurons, result.neurons)
  assert.deepEqual(scaling, { offset: [0.5, 0.5], scale: [2, 2] })
  const { stdout } = await run(['neural', 'info', '--model', file], { cwd })
  assert.match(stdout, /kind +FANN, shortcut/)
  assert.match(stdout, new RegExp(`cascade neurons +${result.neurons}`))
  const { outputs } = await neural(cwd, 'run', '--model', file, '--data', inputs)
  assert.deepEqual(
    outputs.map(([one]) => Math.round(one)),
    [0, 1, 1, 0],
  )
  const assessment = await neural(cwd, 'eval', '--model', file, '--data', rows)
  assert.ok(assessment.meanAbsoluteError < 0.5)
})

for (const algorithm of ['incremental', 'batch', 'rprop', 'quickprop', 'sarprop']) {
  test(`${algorithm} trains both kinds of networks to tell classes by their names`, async () => {
    const cwd = scratch()
    const rows = write(cwd, 'rows.csv', clouds(120))
    for (const made of [
      ['--kind', 'fann', '--activation', 'sigmoid-symmetric', '--connection-rate', '0.9'],
      ['--loss', 'bce', '--activation', 'tanh'],
    ]) {
      const file = join(cwd, 'm.json')
      await neural(cwd, 'create', '--layers', '2,6,2', '--output', file, '--force', ...made)
      const args = ['--model', file, '--data', rows, '--algorithm', algorithm, '--seed', '1']
      const rate = algorithm === 'incremental' ? ['--lr', '0.05'] : []
      const result = await neural(cwd, 'train', ...args, '--epochs', '60', ...rate)
      assert.ok(result.trainAccuracy >= 0.95, `${made}: ${result.trainAccuracy}`)
      assert.deepEqual(result.classes, ['left', 'right'])
      const one = write(cwd, 'one.csv', '0.1,0.2\n2.9,0.2\n')
      const { classes } = await neural(cwd, 'run', '--model', file, '--data', one)
      assert.deepEqual(classes, ['left', 'right'])
      const { accuracy } = await neural(cwd, 'eval', '--model', file, '--data', rows)
      assert.equal(accuracy, result.trainAccuracy)
    }
  })
}

test('the digits are told by a network of FANN, with rows held out', async () => {
  const cwd = scratch()
  const file = join(cwd, 'm.json')
  await neural(cwd, 'create', '--kind', 'fann', '--layers', '64,32,10', '--output', file)
  const args = ['--data', DIGITS, '--epochs', '60', '--seed', '1', '--test-split', '0.2']
  const held = ['--validation-split', '0.1', '--set', 'rpropRests=true']
  const result = await neural(cwd, 'train', '--model', file, ...args, ...held)
  assert.equal(result.algorithm, 'rprop')
  assert.ok(result.testAccuracy > 0.85, `test accuracy ${result.testAccuracy}`)
  const again = await neural(cwd, 'train', '--model', file, ...args, ...held)
  assert.notEqual(again.weightsCid, result.weightsCid)
})

test('files that libfann wrote give its outputs, and become model files and FANN files', async () => {
  const cwd = scratch()
  const expected = JSON.parse(readFileSync(join(VECTORS, 'outputs.json'), 'utf8'))
  for (const [name, outputs] of Object.entries(expected)) {
    const [net, model, back] = [
      join(VECTORS, `${name}.net`),
      join(cwd, `${name}.json`),
      join(cwd, `${name}.net`),
    ]
    const { lost } = await neural(cwd, 'convert', net, model)
    assert.deepEqual(lost, [])
    await neural(cwd, 'convert', model, back)
    assert.deepEqual(readFileSync(back), readFileSync(net))
    for (const file of [net, model]) {
      const rows = ['--data', join(VECTORS, 'rows.csv'), '--no-header']
      const told = await neural(cwd, 'run', '--model', file, ...rows)
      assert.deepEqual(told.outputs.flat().map(Math.fround), outputs.flat().map(Math.fround))
    }
  }
})

test('a model becomes a FANN file and back; what that cannot carry is said', async () => {
  const cwd = scratch()
  const rows = write(cwd, 'rows.csv', clouds(60))
  const inputs = write(cwd, 'in.csv', '0.1,0.2\n2.9,0.9\n')
  const [file, net, back, layers] = ['m.json', 'm.net', 'b.json', 'l.json'].map((n) => join(cwd, n))
  await neural(cwd, 'create', '--layers', '2,6,2', '--loss', 'bce', '--output', file)
  await neural(cwd, 'train', '--model', file, '--data', rows)
  const { lost } = await neural(cwd, 'convert', file, net)
  assert.match(lost.join(), /names of its 2 classes.*scaling.*linear-piece-rect.*loss bce/)
  await neural(cwd, 'convert', net, back)
  await neural(cwd, 'convert', net, layers, '--layers')
  const outputs = async (model) =>
    (await neural(cwd, 'run', '--model', model, '--data', inputs)).outputs.flat()
  const ours = await outputs(file)
  for (const other of [net, back, layers]) {
    const theirs = await outputs(other)
    theirs.forEach((one, at) => {
      assert.ok(Math.abs(one - ours[at]) < 1e-4, `${other}: ${one} ${ours[at]}`)
    })
  }
  const info = await neural(cwd, 'info', '--model', layers)
  assert.equal(info.specification.layers.length, 2)
  const text = await run(['neural', 'convert', file, net, '--force'], { cwd })
  assert.match(text.stderr, /warning: .*does not carry the names of its 2 classes/)
})

test('names and scaling travel with a network of FANN in a model file', async () => {
  const cwd = scratch()
  const rows = write(cwd, 'rows.csv', clouds(60))
  const [file, copy] = ['m.json', 'c.json'].map((name) => join(cwd, name))
  await neural(cwd, 'create', '--kind', 'fann', '--layers', '2,3,2', '--output', file)
  await neural(cwd, 'train', '--model', file, '--data', rows)
  await neural(cwd, 'convert', file, copy)
  assert.deepEqual(readFileSync(copy), readFileSync(file))
  const { classes, scaling } = await neural(cwd, 'info', '--model', copy)
  assert.deepEqual(classes, ['left', 'right'])
  assert.equal(scaling.offset.length, 2)
})

test('tables of text, with gaps and several numbers to predict, train a network of FANN', async () => {
  const cwd = scratch()
  const lines = Array.from({ length: 80 }, (_, row) => {
    const [x, shape] = [(row % 16) / 8, ['disc', 'cube'][row % 2]]
    const area = shape === 'disc' ? 3 * x : 4 * x
    return `${row % 20 === 7 ? '' : x},${shape},${area},${10 - x}`
  })
  const rows = write(cwd, 'rows.csv', `size,shape,area,rest\n${lines.join('\n')}\n`)
  const file = join(cwd, 'm.json')
  const made = ['--kind', 'fann', '--activation', 'tanh', '--output-activation', 'linear']
  await neural(cwd, 'create', '--layers', '3,8,2', ...made, '--output', file)
  const table = ['--data', rows, '--label', 'area,rest']
  const more = ['--missing', 'mean', '--task', 'regression', '--set', 'errorFunction=linear']
  const result = await neural(cwd, 'train', '--model', file, ...table, ...more, '--epochs', '200')
  assert.equal(result.targetsScaled, true)
  assert.ok(result.loss < 0.1, `loss ${result.loss}`)
  const { columns } = await neural(cwd, 'info', '--model', file)
  assert.deepEqual(
    columns.map(({ name, categories }) => [name, categories]),
    [
      ['size', undefined],
      ['shape', ['cube', 'disc']],
    ],
  )
  const one = write(cwd, 'one.csv', 'size,shape\n1,disc\n1,cube\n')
  const { outputs } = await neural(cwd, 'run', '--model', file, '--data', one)
  assert.ok(outputs[1][0] - outputs[0][0] > 0.5, String(outputs))
  assert.ok(Math.abs(outputs[0][1] - 9) < 0.7, String(outputs))
  const assessment = await neural(cwd, 'eval', '--model', file, ...table)
  assert.ok(assessment.meanAbsoluteError < 1)
  const [net, layers] = [join(cwd, 'm.net'), join(cwd, 'm.safetensors')]
  const { lost } = await neural(cwd, 'convert', file, net)
  assert.match(lost.join(), /what its 2 columns are/)
  const told = await neural(cwd, 'convert', file, layers, '--layers', ...table)
  assert.deepEqual(told.lost, [])
  assert.ok(Math.abs(told.after.loss - result.loss) < 1e-3)
  const same = await neural(cwd, 'run', '--model', layers, '--data', one)
  same.outputs.flat().forEach((output, at) => {
    assert.ok(Math.abs(output - outputs.flat()[at]) < 1e-3)
  })
})

test('a network of FANN gives back its inputs, and is timed', async () => {
  const cwd = scratch()
  const rows = write(cwd, 'rows.csv', clouds(60).replaceAll(/,(left|right)/g, ''))
  const file = join(cwd, 'm.json')
  const made = ['--kind', 'fann', '--activation', 'tanh', '--output-activation', 'linear']
  await neural(cwd, 'create', '--layers', '2,2,2', ...made, '--output', file)
  const task = ['--task', 'reconstruction']
  const learn = ['train', '--model', file, '--data', rows, ...task, '--epochs', '200']
  const result = await neural(cwd, ...learn, '--set', 'errorFunction=linear')
  assert.ok(result.loss < 0.2, `loss ${result.loss}`)
  const one = write(cwd, 'one.csv', '0.5,0.5\n2.5,0.2\n')
  const { outputs } = await neural(cwd, 'run', '--model', file, '--data', one)
  assert.ok(outputs[1][0] - outputs[0][0] > 1, String(outputs))
  const { run: runs, epoch } = await neural(cwd, 'bench', '--model', file, '--data', rows, ...task)
  assert.equal(runs.length, 3)
  assert.equal(epoch.rows, 60)
  assert.ok(runs.every(({ medianUs }) => medianUs > 0) && epoch.medianUs > 0)
})

test('what cannot be is refused, and nothing is written', async () => {
  const cwd = scratch()
  const rows = write(cwd, 'rows.csv', XOR)
  const [fann, layers, net] = ['f.json', 'l.json', 'f.net'].map((name) => join(cwd, name))
  await neural(cwd, 'create', '--kind', 'fann', '--layers', '2,3,1', '--output', fann)
  await neural(cwd, 'create', '--layers', '2,3,1', '--activation', 'elu', '--output', layers)
  await neural(cwd, 'convert', fann, net)
  const cut = write(cwd, 'cut.net', readFileSync(net).subarray(0, 700))
  const train = (model, ...more) => ['train', '--model', model, '--data', rows, ...more]
  const create = (...more) => ['create', '--output', join(cwd, 'new.json'), ...more]
  const table = [
    [train(fann, '--algorithm', 'adam'), 1, 'algorithm-does-not-fit'],
    [train(fann, '--batch', '4'), 1, 'option-invalid'],
    [train(fann, '--set', 'rpropDeltaMax=-1'), 1, 'option-invalid'],
    [train(fann, '--set', 'nothing=1'), 1, 'option-invalid'],
    [train(fann, '--set', 'rpropDeltaMax'), 2, 'usage'],
    [train(fann, '--algorithm', 'cascade'), 1, 'cascade-shape'],
    [train(fann, '--algorithm', 'cascade', '--epochs', '3'), 2, 'usage'],
    [train(fann, '--algorithm', 'cascade', '--validation-split', '0.2'), 2, 'usage'],
    [train(fann, '--algorithm', 'rprop', '--optimizer', 'batch'), 2, 'usage'],
    [train(layers, '--algorithm', 'rprop'), 1, 'no-counterpart'],
    [train(net), 2, 'usage'],
    [train(cut, '--output', join(cwd, 'x.json')), 1, 'file-damaged'],
    [train(cut, '--output', fann), 1, 'exists'],
    [['info', '--model', cut], 1, 'file-damaged'],
    [['convert', cut, join(cwd, 'x.json')], 1, 'file-damaged'],
    [['convert', layers, join(cwd, 'x.net')], 1, 'no-counterpart'],
    [['convert', fann, join(cwd, 'x.txt')], 2, 'usage'],
    [['convert', fann, join(cwd, 'x.net'), '--layers'], 2, 'usage'],
    [['convert', fann, join(cwd, 'x.net'), '--dtype', 'f16'], 2, 'usage'],
    [['convert', fann, join(cwd, 'x.json'), '--dtype', 'f16'], 2, 'usage'],
    [['convert', fann, join(cwd, 'x.net'), '--data', rows], 2, 'usage'],
    [['convert', fann, net], 1, 'exists'],
    [train(fann, '--output', join(cwd, 'x.safetensors')), 2, 'usage'],
    [train(fann, '--cosine'), 1, 'option-invalid'],
    [['convert', join(cwd, 'none.net'), join(cwd, 'x.json')], 1, 'no-such-file'],
    [create('--shortcut', '--layers', '2,1', '--loss', 'mse'), 2, 'usage'],
    [['create', '--kind', 'fann', '--layers', '2,1', '--output', join(cwd, 'x.net')], 2, 'usage'],
    [create('--kind', 'fann', '--architecture', 'mlp'), 2, 'usage'],
    [create('--kind', 'layers', '--layers', '2,1', '--steepness', '1'), 2, 'usage'],
    [create('--connection-rate', '0.5', '--shortcut', '--layers', '2,1'), 2, 'usage'],
  ]
  const before = [fann, layers, net].map((file) => readFileSync(file))
  for (const [args, exit, code] of table) {
    const answer = await json(['neural', ...args], { cwd })
    assert.deepEqual([answer.code, answer.error?.code], [exit, code], args.join(' '))
    assert.notEqual(answer.error.hint, '')
  }
  assert.deepEqual(
    [fann, layers, net].map((file) => readFileSync(file)),
    before,
  )
  for (const name of ['new.json', 'x.json', 'x.net', 'x.txt', 'x.safetensors']) {
    assert.ok(!existsSync(join(cwd, name)), name)
  }
})

test('numbers that outputs cannot come to are refused, and no other file is replaced', async () => {
  const cwd = scratch()
  const rows = write(cwd, 'rows.csv', '1,1,60\n2,1,90\n3,2,155\n4,1,120\n')
  const file = join(cwd, 'm.json')
  await neural(cwd, 'create', '--layers', '2,8,1', '--kind', 'fann', '--output', file)
  const train = (...args) =>
    json(['neural', 'train', '--model', file, '--data', rows, ...args], { cwd })
  const { code, error } = await train()
  assert.deepEqual([code === 0, error.code], [false, 'targets-invalid'])
  assert.match(error.hint, /--output-activation linear/)
  const notes = write(cwd, 'notes.txt', 'mine')
  const { error: refused } = await train('--output', notes)
  assert.equal(refused.code, 'exists')
  assert.equal(readFileSync(notes, 'utf8'), 'mine')
})
