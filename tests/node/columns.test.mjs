// Tables whose columns come in another order than those a model was trained on: what the header says
// counts, not where a column stands.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, run, scratch, TestNode } from './cli.mjs'

const HEADER = ['width', 'colour', 'height', 'kind']
/** Wide and red is `a`, whatever the height. */
const ROWS = Array.from({ length: 60 }, (_, n) => {
  const [width, colour] = [(n * 7) % 10, ['red', 'blue'][(n * 5) % 2]]
  return [width, colour, 1000 + ((n * 3) % 8), width > 4 && colour === 'red' ? 'a' : 'b']
})

/** The columns of those names as a file; a name that is not known is a column of its own. */
function table(cwd, names, { header = true, rows = ROWS } = {}) {
  const file = join(cwd, 'rows.csv')
  const cell = (row, name, index) => row[HEADER.indexOf(name)] ?? `x${index}`
  const lines = rows.map((row, index) => names.map((name) => cell(row, name, index)).join(','))
  writeFileSync(file, (header ? [names.join(','), ...lines] : lines).join('\n'))
  return file
}

async function trained(kind = []) {
  const cwd = scratch()
  const model = join(cwd, 'm.json')
  const make = ['--layers', '4,8,2', '--output', model, '--seed', '1', ...kind]
  await data(['neural', 'create', ...make], { cwd })
  const rows = ['--model', model, '--data', table(cwd, HEADER)]
  const algorithm = kind.length > 0 ? [] : ['--lr', '0.02']
  await data(['neural', 'train', ...rows, '--epochs', '80', '--seed', '1', ...algorithm], { cwd })
  const ask = (verb, file, ...more) => ['neural', verb, '--model', model, '--data', file, ...more]
  return { cwd, model, ask }
}

for (const [what, kind] of [
  ['layers', []],
  ['FANN', ['--kind', 'fann', '--activation', 'sigmoid-symmetric']],
]) {
  test(`a network of ${what} finds its columns by their names`, async () => {
    const { cwd, ask } = await trained(kind)
    const asked = (names, options) => ask('run', table(cwd, names, options))
    const expected = await data(asked(HEADER.slice(0, 3)), { cwd })
    assert.ok(expected.classes.includes('a') && expected.classes.includes('b'))
    for (const names of [
      ['height', 'width', 'colour'],
      ['kind', 'colour', 'height', 'width'],
      ['colour', 'id', 'width', 'height'],
    ]) {
      const { outputs, classes } = await data(asked(names), { cwd })
      assert.deepEqual([outputs, classes], [expected.outputs, expected.classes], names.join())
    }
    // Without a header the same numbers in another order are other rows: the control.
    const plain = await data(asked(HEADER.slice(0, 3), { header: false }), { cwd })
    assert.deepEqual(plain.outputs, expected.outputs)
    const swapped = await data(asked(['height', 'colour', 'width'], { header: false }), { cwd })
    assert.notDeepEqual(swapped.outputs, expected.outputs)

    const score = await data(ask('eval', table(cwd, HEADER)), { cwd })
    const moved = await data(ask('eval', table(cwd, ['kind', 'height', 'colour', 'width'])), {
      cwd,
    })
    assert.deepEqual(moved, score)
    assert.ok(score.accuracy > 0.95, `accuracy ${score.accuracy}`)
    const among = table(cwd, ['colour', 'kind', 'id', 'height', 'width'])
    const named = await data(ask('eval', among, '--label', 'kind'), { cwd })
    assert.deepEqual(named, { ...score, ignored: ['3 (id)'] })
  })
}

test('what is left out is said, what is missing is an error that names it', async () => {
  const { cwd, ask } = await trained()
  const extra = table(cwd, ['colour', 'id', 'width', 'height'])
  const { stdout, stderr } = await run(ask('run', extra), { cwd })
  assert.match(stderr, /left out a column that the model does not take: 2 \(id\)/)
  assert.doesNotMatch(stdout, /left out/)
  assert.equal((await run(ask('run', extra, '--quiet'), { cwd })).stderr, '')
  for (const [verb, names] of [
    ['run', ['width', 'color', 'height']],
    ['run', ['width', 'height']],
    ['eval', ['width', 'color', 'height', 'kind']],
    ['bench', ['width', 'color', 'height', 'kind']],
    ['train', ['width', 'height', 'kind']],
  ]) {
    const { code, error } = await json(ask(verb, table(cwd, names)), { cwd })
    assert.deepEqual([code, error.code], [1, 'data-no-column'], verb)
    assert.match(error.message, /rows\.csv: .* 'colour', .*\(width, /)
    assert.match(error.hint, /rename it in the header/)
  }
  const { error } = await json(ask('eval', table(cwd, HEADER.slice(0, 3))), { cwd })
  assert.equal(error.code, 'data-no-label')
  assert.match(error.hint, /--label/)
})

test('a header in which a name says nothing is refused', async () => {
  const { cwd, ask } = await trained()
  const twice = table(cwd, ['width', 'colour', 'height', 'width'])
  for (const verb of ['run', 'eval', 'train']) {
    const { code, error } = await json(ask(verb, twice), { cwd })
    assert.deepEqual([code, error.code], [1, 'data-name-twice'], verb)
    assert.match(error.message, /'width'/)
  }
})

test('a training that goes on takes the columns of the first', async () => {
  const { cwd, model, ask } = await trained()
  const weights = []
  for (const names of [HEADER, ['kind', 'height', 'id', 'colour', 'width']]) {
    const output = join(cwd, `${names.length}.json`)
    const further = ['--epochs', '2', '--seed', '3', '--output', output, '--label', 'kind']
    weights.push((await data(ask('train', table(cwd, names), ...further), { cwd })).weightsCid)
  }
  assert.equal(weights[0], weights[1])
  const { columns } = await data(['neural', 'info', '--model', model], { cwd })
  assert.deepEqual(
    columns.map(({ name }) => name),
    HEADER.slice(0, 3),
  )
})

test('the label column of a run by its number, with a header and without', async () => {
  const home = scratch()
  await data(['init', '--home', home], { cwd: home })
  const node = await TestNode.start(home)
  const shape = ['--layers', '2,4,2', '--rounds', '1']
  const rows = ROWS.map(([width, , height, kind]) => [width, '', height, kind])
  const names = ['width', 'kind', 'height']
  for (const [name, header] of [
    ['named', true],
    ['bare', false],
  ]) {
    const file = table(home, names, { header, rows })
    const begin = ['run', 'start', name, '--data', file, ...shape]
    assert.equal((await node.data(...begin, '--label', '1')).samples, ROWS.length)
    const beyond = await json([...begin, '--label', '3', '--home', home], { cwd: home })
    assert.equal(beyond.ok, false)
  }
  await node.kill()
})
