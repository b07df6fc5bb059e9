import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SynapticError } from '../dist/errors.js'
import { columns, harmless, Output, toJson, wantsColour } from '../dist/output.js'
import { barLine, Progress, patiently } from '../dist/progress.js'

/** What no pipe may ever get. */
const ESCAPE = new RegExp(String.fromCharCode(27))

/** A stream that keeps what is written. */
function stream(isTTY, columns) {
  const written = []
  return {
    isTTY,
    columns,
    written,
    write: (text) => written.push(text),
    text: () => written.join(''),
  }
}

function output(options = {}) {
  const stdout = stream(false)
  const stderr = stream(false)
  const made = new Output({
    json: false,
    quiet: false,
    verbose: false,
    colour: 'auto',
    env: {},
    stdout,
    stderr,
    ...options,
  })
  return { made, stdout, stderr }
}

test('colour: flag, NO_COLOR, FORCE_COLOR, terminal', () => {
  const terminal = stream(true)
  const pipe = stream(false)
  const table = [
    ['auto', {}, terminal, true],
    ['auto', {}, pipe, false],
    ['auto', { NO_COLOR: '1' }, terminal, false],
    ['auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, terminal, false],
    ['auto', { FORCE_COLOR: '1' }, pipe, true],
    ['auto', { FORCE_COLOR: '0' }, terminal, false],
    ['auto', { TERM: 'dumb' }, terminal, false],
    ['always', { NO_COLOR: '1' }, pipe, true],
    ['never', {}, terminal, false],
  ]
  for (const [choice, env, to, wanted] of table) {
    assert.equal(wantsColour(choice, env, to), wanted, JSON.stringify([choice, env, to.isTTY]))
  }
})

test("other people's words move no cursor and turn no line", () => {
  const [bell, right, isolate] = [7, 0x202e, 0x2066].map((code) => String.fromCharCode(code))
  const start = String.fromCharCode(27)
  assert.equal(harmless(`a${bell}b${right}c${isolate}d`), 'a\\u{7}b\\u{202e}c\\u{2066}d')
  assert.equal(harmless(`${start}[2J`), '\\u{1b}[2J', 'no clearing of the screen')
  assert.equal(harmless(`${start}[1;31mred${start}[0m`), `${start}[1;31mred${start}[0m`)
  assert.equal(harmless('two\nlines\tשלום 你好'), 'two\nlines\tשלום 你好')
  const { made, stdout, stderr } = output()
  made.result({}, () => `memo ${right}001`)
  made.warn(`by ${right}`, `to ${right}`)
  assert.ok(!`${stdout.text()}${stderr.text()}`.includes(right))
  const json = output({ json: true })
  json.made.result({ memo: right }, () => '')
  assert.equal(JSON.parse(json.stdout.text()).data.memo, right, 'a program gets what was written')
})

test('JSON is one document on stdout, errors included', () => {
  const good = output({ json: true })
  good.made.result({ n: 1n }, () => 'text')
  assert.equal(good.stdout.text(), '{"ok":true,"data":{"n":"1"}}\n')
  const bad = output({ json: true })
  bad.made.fail(new SynapticError('a-code', 'a message', 'a hint'))
  assert.deepEqual(JSON.parse(bad.stdout.text()), {
    ok: false,
    error: { code: 'a-code', message: 'a message', hint: 'a hint' },
  })
  assert.equal(bad.stderr.text(), '')
})

test('text goes to stdout, errors and notes to stderr, and no escape byte into a pipe', () => {
  const { made, stdout, stderr } = output()
  made.result({}, (paint) => paint('bold', 'result'))
  made.note('note')
  made.warn('careful', 'do this')
  made.fail(new SynapticError('x', 'wrong', 'do that'))
  assert.equal(stdout.text(), 'result\n')
  assert.match(stderr.text(), /note\nwarning: careful\n {2}do this\nerror: wrong\n {2}do that\n/)
  assert.doesNotMatch(stdout.text() + stderr.text(), ESCAPE)
})

test('quiet leaves results and errors', () => {
  const { made, stderr } = output({ quiet: true })
  made.note('note')
  made.fail(new SynapticError('x', 'wrong'))
  assert.equal(stderr.text(), 'error: wrong\n')
})

test('columns line up, numbers to the right', () => {
  assert.equal(
    columns([
      ['name', 'n'],
      ['a', '10'],
      ['long name', '5'],
    ]),
    'name        n\na          10\nlong name   5',
  )
  assert.equal(toJson([1n, 'a']), '["1","a"]')
})

test('progress is silent for a second, then a line on a terminal and lines elsewhere', () => {
  let now = 0
  const terminal = stream(true, 60)
  const bar = new Progress(terminal, 'training', 20, true, () => now)
  bar.update(1)
  assert.equal(terminal.text(), '')
  now = 1_500
  bar.update(5, 'loss 0.5')
  assert.match(terminal.text(), /^\rtraining \[#+-+\] 5\/20/)
  assert.ok(terminal.written.every((text) => text.length <= 61))
  assert.doesNotMatch(terminal.text(), ESCAPE)
  bar.end()
  assert.ok(terminal.text().endsWith('\n'))

  const pipe = stream(false)
  now = 0
  const plain = new Progress(pipe, 'training', 20, true, () => now)
  for (now = 0; now <= 20_000; now += 500) plain.update(now / 1_000)
  const lines = pipe.text().trim().split('\n')
  assert.ok(lines.length >= 3 && lines.length <= 6, `${lines.length} lines`)
  assert.equal(barLine('x', 1, 2, ''), `x [${'#'.repeat(12)}${'-'.repeat(12)}] 1/2`)
})

test('work of unknown length says how long it has taken, after a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const wait = (ms) => {
    for (let passed = 0; passed < ms; passed += 500) {
      now += 500
      t.mock.timers.tick(500)
    }
  }
  const pass = async (to, ms, enabled) => {
    let end
    const work = patiently(to, 'calling', () => new Promise((done) => (end = done)), enabled)
    wait(ms)
    end('done')
    assert.equal(await work, 'done')
    wait(60_000)
    return to.text()
  }
  assert.equal(await pass(stream(false), 500), '')
  assert.equal(await pass(stream(false), 7_000, false), '')
  assert.equal(await pass(stream(false), 7_000), 'calling: 1 s\ncalling: 6 s\n')
  assert.equal(await pass(stream(true, 80), 2_500), '\rcalling: 1 s\rcalling: 2 s\n')
})
