import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, run, scratch, start, TestNode, until } from './cli.mjs'

const ROUNDS = 6

let founder
let member
let files

/** Two unequal halves of the digits, and rows nobody trains on. */
function divide(folder) {
  const lines = readFileSync(DIGITS, 'utf8').trim().split('\n')
  const write = (name, keep) => {
    const file = join(folder, name)
    writeFileSync(file, `${lines.filter(keep).join('\n')}\n`)
    return file
  }
  const digit = (line) => Number(line.at(-1))
  return {
    low: write('low.csv', (line, at) => at % 5 !== 0 && digit(line) < 5),
    high: write('high.csv', (line, at) => at % 5 !== 0 && digit(line) >= 5),
    test: write('test.csv', (_, at) => at % 5 === 0),
  }
}

before(async () => {
  files = divide(scratch())
  const place = scratch()
  await data(['init', '--home', place, '--name', 'two halves'], { cwd: place })
  founder = await TestNode.start(place)
  const other = scratch()
  const args = ['join', founder.ready.join, '--home', other, '--port', '0', '--dashboard-port', '0']
  member = new TestNode(start([...args, '--json'], { cwd: other }), other)
  await member.event('peer', ({ state }) => state === 'connected')
})

after(async () => {
  await founder?.stop()
  await member?.stop()
})

const SHAPE = [
  '--layers',
  '64,32,10',
  '--range',
  '0,16',
  '--rounds',
  String(ROUNDS),
  '--deadline',
  '5',
]

test('two members train together what neither could alone; anybody can verify it', async () => {
  const rows = ['--data', files.low, '--test', files.test, '--alone']
  const started = await founder.data('run', 'start', 'digits', ...rows, ...SHAPE)
  assert.equal(started.name, 'digits')
  assert.equal(started.state, 'waiting')
  assert.equal(started.classes.length, 10)
  assert.ok(started.samples > 600)
  assert.ok(started.alone.accuracy < 0.6, `alone ${started.alone.accuracy}`)

  // While the run waits for its second member: afterwards it may have finished already.
  const twice = await json(['run', 'join', 'digits', ...rows, '--home', founder.home], {
    cwd: founder.home,
  })
  assert.deepEqual([twice.code, twice.error.code], [1, 'already-joined'])

  const watching = run(['run', 'watch', 'digits', '--home', founder.home, '--json'], {
    cwd: founder.home,
  })
  await until(async () => (await member.data('run', 'list')).length === 1, 'the run arrives')
  const args = ['--data', files.high, '--test', files.test]
  const joined = await member.data('run', 'join', 'digits', ...args)
  assert.equal(joined.contributing, true)

  const seen = await watching
  assert.equal(seen.code, 0)
  const lines = seen.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(lines[0].event, 'snapshot')
  const rounds = lines.filter(({ event }) => event === 'round').map(({ data: { round } }) => round)
  assert.deepEqual(
    rounds,
    Array.from({ length: ROUNDS }, (_, index) => index + 1),
  )
  const scores = lines.filter(({ event }) => event === 'evaluated')
  assert.equal(scores.at(-1).data.round, ROUNDS)
  assert.ok(scores.at(-1).data.accuracy > 0.8, `together ${scores.at(-1).data.accuracy}`)

  const [view] = await founder.data('run', 'list')
  assert.equal(view.state, 'finished')
  assert.equal(view.members.length, 2)
  await until(async () => (await member.data('run', 'list'))[0].state === 'finished', 'both finish')

  const car = join(member.home, 'run.car')
  await member.data('run', 'export', 'digits', '--output', car)
  const report = await data(['verify', car], { cwd: member.home })
  assert.deepEqual(report, {
    ok: true,
    rounds: ROUNDS,
    updates: 2 * ROUNDS,
    aggregation: null,
    weightsCid: view.weightsCid,
    firstMismatch: null,
  })
})

test('any changed byte of an export is found and its place is named', async () => {
  const car = readFileSync(join(member.home, 'run.car'))
  const { loadMesh } = await import(pathToFileURL(join(PACKAGE, 'lib', 'wasm.js')).href)
  const mesh = await loadMesh()
  const seed = Number(process.env.SEED ?? Date.now() % 1e6)
  let state = seed
  const random = (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let n = 0; n < 200; n += 1) {
    const at = random(car.length)
    const changed = Buffer.from(car)
    changed[at] ^= 1 << random(8)
    const report = mesh.verifyRun(changed)
    assert.equal(report.ok, false, `byte ${at}, SEED=${seed}`)
    assert.equal(typeof report.firstMismatch.byte, 'number', `byte ${at}, SEED=${seed}`)
  }
  const middle = Buffer.from(car)
  middle[Math.floor(car.length / 2)] ^= 1
  const file = join(member.home, 'changed.car')
  writeFileSync(file, middle)
  const answer = await json(['verify', file], { cwd: member.home })
  assert.equal(answer.code, 1)
  assert.equal(answer.ok, false)
  assert.equal(answer.data.ok, false)
  assert.equal(answer.error.code, 'verification-failed')
  assert.match(answer.error.message, /byte \d+/)
})

test('cut, empty and foreign files are no history', async () => {
  const car = readFileSync(join(member.home, 'run.car'))
  const file = join(member.home, 'foreign.car')
  for (const content of [
    car.subarray(0, car.length / 2),
    car.subarray(0, 10),
    '',
    readFileSync(DIGITS),
  ]) {
    writeFileSync(file, content)
    const answer = await json(['verify', file], { cwd: member.home })
    assert.equal(answer.code, 1)
    assert.equal(answer.ok, false)
  }
})

test('what cannot work is refused with a reason', async () => {
  const at = { cwd: founder.home }
  const home = ['--home', founder.home]
  const refuse = async (args, code) => {
    const answer = await json(['run', ...args, ...home], at)
    assert.equal(answer.ok, false, args.join(' '))
    assert.equal(answer.error.code, code, JSON.stringify(answer.error))
    assert.notEqual(answer.error.hint, '')
    return answer
  }
  const rows = ['--data', files.low, '--test', files.test]
  await refuse(['start', 'other', ...rows, '--layers', '64,32,9'], 'layers-do-not-fit')
  await refuse(['start', 'Other', ...rows, '--layers', '64,32,10'], 'usage')
  await refuse(['start', 'other', '--data', 'none.csv', '--layers', '64,32,10'], 'no-such-file')
  await refuse(['join', 'none', '--data', files.low], 'no-such-run')
  await refuse(['join', 'digits', '--data', files.low], 'run-finished')
  await refuse(['leave', 'none'], 'no-such-run')
  await refuse(['watch', 'none'], 'no-such-run')
  await refuse(['export', 'none', '--output', 'x.car'], 'no-such-run')
  const bad = join(founder.home, 'bad.csv')
  writeFileSync(bad, '1,2,3\n1,2\n')
  await refuse(['start', 'other', '--data', bad, '--layers', '2,2'], 'data-ragged')
  const nowhere = await json(['run', 'export', 'digits', '--output', '/no/where.car', ...home], at)
  assert.equal(nowhere.error.code, 'no-such-file')
  assert.equal(existsSync(join(founder.home, 'x.car')), false)
  assert.equal(readdirSync(founder.home).filter((name) => name.endsWith('.tmp')).length, 0)
})

test('a run has the rule it was started with, and verify goes by it', async () => {
  const at = { cwd: founder.home }
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '2', '--epochs', '1']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--deadline', '2']
  const begin = ['run', 'start', 'ruled', '--data', files.low, ...shape, ...classes]
  const home = ['--home', founder.home]
  for (const [options, about] of [
    [['--rule', 'mean', '--byzantine', '1'], /no hostile update/],
    [['--rule', 'mean', '--radius', '2'], /shortens none/],
    [['--byzantine', '1', '--min-updates', '2'], /too small for centered-clipping against 1/],
    [['--rule', 'bulyan', '--byzantine', '2', '--min-updates', '10'], /too small for bulyan/],
    [['--rule', 'average'], /./],
    [['--radius', '0'], /./],
    [['--compression', 'none', '--keep', '1'], /sent whole/],
    [['--compression', 'int3'], /./],
  ]) {
    const refused = await json([...begin, ...options, ...home], at)
    assert.deepEqual([refused.ok, refused.error.code], [false, 'usage'], options.join(' '))
    assert.match(refused.error.message, about)
  }
  const own = { rule: 'centered-clipping', byzantine: 0, radius: 1.5 }
  const given = ['--rule', own.rule, '--byzantine', '0', '--radius', '1.5']
  const sent = ['--compression', 'int4', '--keep', '10', '--server-momentum', '0.5']
  const started = await founder.data(...begin, ...given, ...sent)
  assert.deepEqual(started.aggregation, own)
  assert.deepEqual(started.compression, { bits: 4, keep: 100_000 })
  assert.equal(started.serverMomentum, 0.5)
  const ruled = async (node) =>
    (await node.data('run', 'list')).find(({ name }) => name === 'ruled')
  await until(async () => (await ruled(member)) !== undefined, 'the run arrives')
  assert.deepEqual((await ruled(member)).aggregation, own)
  await member.data('run', 'join', 'ruled', '--data', files.high)
  await until(async () => (await ruled(member)).state === 'finished', 'it finishes')
  const shown = await run(['run', 'list', ...home], at)
  assert.match(shown.stdout, /ruled .*centered-clipping/)
  const car = join(founder.home, 'ruled.car')
  await founder.data('run', 'export', 'ruled', '--output', car)
  const report = await data(['verify', car], at)
  assert.deepEqual([report.ok, report.rounds, report.aggregation], [true, 2, own])
  // Who expects four members need not name a rule.
  const auto = ['run', 'start', 'four', '--data', files.low, ...shape, ...classes]
  const { aggregation, compression } = await founder.data(...auto, '--min-updates', '4')
  assert.equal(compression, null)
  assert.deepEqual(aggregation, { rule: 'centered-clipping', byzantine: 1, radius: 0 })
})

test('a member that comes back takes part again', async () => {
  const shape = ['--layers', '64,16,10', '--range', '0,16', '--rounds', '400', '--deadline', '2']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--min-updates', '2', '--epochs', '1']
  await founder.data('run', 'start', 'long', '--data', files.low, ...shape, ...classes)
  await until(async () => (await member.data('run', 'list')).length === 4, 'the run arrives')
  await member.data('run', 'join', 'long', '--data', files.high)
  const round = async (node) =>
    (await node.data('run', 'list')).find(({ name }) => name === 'long').round
  await until(async () => (await round(founder)) >= 3, 'rounds happen')
  await member.kill()
  const stuck = await round(founder)
  member = await TestNode.start(member.home, ['--join', founder.ready.join])
  await until(async () => (await round(founder)) > stuck + 2, 'rounds happen again')
  const view = (await member.data('run', 'list')).find(({ name }) => name === 'long')
  assert.equal(view.contributing, true)
  await member.data('run', 'leave', 'long')
  await founder.data('run', 'leave', 'long')
})
