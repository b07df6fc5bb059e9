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
  const reading = run(['run', 'watch', 'digits', '--home', founder.home], { cwd: founder.home })
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

  const closed = lines.filter(({ event }) => event === 'course').map(({ data }) => data)
  assert.deepEqual(
    closed.map(({ round }) => round),
    rounds,
  )
  assert.ok(closed.every(({ updates }) => updates.filter(({ taken }) => taken).length === 2))
  assert.equal(lines.findLast(({ event }) => event === 'members').data.members.length, 2)
  const told = (await reading).stdout
  const line =
    /^run digits: round \d\/6, 2 of 2 updates, 19\.3 KB and [\d.]+ KB signed, result of \w{10}$/gm
  assert.equal(told.match(line)?.length, ROUNDS, told)
  assert.match(told, /^run digits: round 6, accuracy [\d.]+ %, loss [\d.]+ on \d+ rows$/m)
  assert.match(
    told,
    /\nmember +rows +sent +taken +share +now\n(.+ 6 +6 +[\d.]+ % +with the others\n){2}/,
  )

  const [view] = await founder.data('run', 'list')
  assert.equal(view.state, 'finished')
  assert.equal(view.members.length, 2)
  await until(async () => (await member.data('run', 'list'))[0].state === 'finished', 'both finish')

  member.ready ??= (await member.event('ready')).data
  await courseIs(view)

  const car = join(member.home, 'run.car')
  await member.data('run', 'export', 'digits', '--output', car)
  const whole = readFileSync(car)
  const exporting = ['run', 'export', 'digits', '--output', car, '--home', member.home]
  const again = await json(exporting, { cwd: member.home })
  assert.deepEqual([again.code, again.error.code], [1, 'exists'])
  assert.match(again.error.hint, /--force/)
  writeFileSync(car, 'something else')
  await data([...exporting, '--force'], { cwd: member.home })
  assert.deepEqual(readFileSync(car), whole)
  const report = await data(['verify', car], { cwd: member.home })
  assert.deepEqual(report, {
    ok: true,
    rounds: ROUNDS,
    updates: 2 * ROUNDS,
    beside: 0,
    aggregation: null,
    trustedRows: 0,
    masking: null,
    commitReveal: false,
    leftOut: [],
    weightsCid: view.weightsCid,
    firstMismatch: null,
  })
})

test('a member that turns its updates round is bounded by the rule, and is found', async () => {
  const at = { cwd: founder.home }
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '2', '--epochs', '1']
  const more = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--rule', 'mean']
  await founder.data('run', 'start', 'turned', '--data', files.low, ...shape, ...more)
  const lying = ['--data', files.high, '--attack', 'sign-flip', '--json']
  await member.data('run', 'join', 'turned', ...lying)
  const finished = async () =>
    (await founder.data('run', 'list')).find(({ name }) => name === 'turned').state === 'finished'
  await until(finished, 'it finishes')
  const car = join(founder.home, 'turned.car')
  await founder.data('run', 'export', 'turned', '--output', car)
  const retrain = (rows) => json(['verify', car, '--retrain', '--data', rows], at)
  assert.equal((await retrain(files.low)).data.retrained.equal, 2)
  assert.equal((await retrain(files.high)).ok, false, 'what it sent is not what it trained')
  const bad = await json(
    ['run', 'join', 'turned', '--data', files.low, '--attack', 'x', '--home', founder.home],
    at,
  )
  assert.deepEqual([bad.code, bad.error.code], [2, 'usage'])
})

test('updates are trained again from their rows, and those of flipped labels are found', async () => {
  const at = { cwd: founder.home }
  const again = (car, rows, ...more) => ['verify', car, '--retrain', '--data', rows, ...more]
  const car = join(member.home, 'run.car')
  const own = await data(again(car, files.low), at)
  assert.deepEqual([own.ok, own.rounds, own.retrained.equal], [true, ROUNDS, ROUNDS])
  assert.deepEqual([own.retrained.skipped, own.retrained.differing], [0, []])
  const other = await data(again(car, files.high), at)
  assert.equal(other.retrained.equal, ROUNDS)
  assert.notEqual(other.retrained.member, own.retrained.member)

  // The member trains on 9 - digit, and says that its rows are those of the file.
  const flipped = join(member.home, 'flipped.csv')
  const lines = readFileSync(files.high, 'utf8').trim().split('\n')
  const flip = (line) => `${line.slice(0, -1)}${9 - Number(line.at(-1))}`
  writeFileSync(flipped, `${lines.map(flip).join('\n')}\n`)
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '3', '--epochs', '1']
  const more = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--compression', 'int4', '--keep', '10']
  await founder.data('run', 'start', 'liar', '--data', files.low, ...shape, ...more)
  await member.data('run', 'join', 'liar', '--data', files.high, '--attack', 'label-flip')
  const finished = async () =>
    (await founder.data('run', 'list')).find(({ name }) => name === 'liar').state === 'finished'
  await until(finished, 'it finishes')
  const lied = join(founder.home, 'liar.car')
  await founder.data('run', 'export', 'liar', '--output', lied)
  assert.equal((await data(again(lied, files.low), at)).retrained.equal, 3)
  const liar = other.retrained.member
  const found = await json(again(lied, files.high, '--member', liar.slice(0, 12)), at)
  assert.deepEqual([found.code, found.error.code], [1, 'retraining-differs'])
  assert.match(found.error.message, /3 of 3 updates of .* from round 1 on/)
  const rounds = found.data.retrained.differing.map(({ round, verdict }) => [round, verdict])
  assert.deepEqual(
    rounds,
    [1, 2, 3].map((round) => [round, 'differs']),
  )
  // The control: its updates do come from the labels that it really learnt.
  assert.equal((await data(again(lied, flipped), at)).retrained.member, liar)

  const refused = async (args, code, about) => {
    const answer = await json(args, at)
    assert.equal(answer.error.code, code, JSON.stringify(answer.error))
    assert.match(answer.error.message, about)
  }
  await refused(again(lied, files.high), 'retraining-differs', /no member began/)
  await refused(['verify', lied, '--retrain'], 'usage', /needs rows/)
  await refused(['verify', lied, '--data', files.low], 'usage', /for training again/)
  await refused(again(lied, files.low, '--member', 'zz'), 'retrain-member', /no member "zz"/)
  await refused(again(lied, files.test, '--member', liar), 'retraining-differs', /3 of 3/)
  await refused(again(lied, 'none.csv'), 'no-such-file', /none.csv/)
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

/** The course of the finished run, as the history has it and by other eyes. */
async function courseIs({ weightsCid }) {
  const course = async (node, more) => node.api('run.training', { run: 'digits', ...more })
  const whole = await course(founder)
  const rounds = Array.from({ length: ROUNDS }, (_, at) => at + 1)
  assert.deepEqual(
    whole.course.map(({ round }) => round),
    rounds,
  )
  assert.equal(whole.course.at(-1).result.weightsCid, weightsCid)
  // 64-32-10 in single precision.
  const bytes = 4 * (64 * 32 + 32 + 32 * 10 + 10)
  const log = await founder.data('dag', 'log', '--limit', '1000')
  for (const { updates, bytes: sent, missing, result, proposals } of whole.course) {
    assert.deepEqual([updates.length, missing], [2, []])
    assert.ok(updates.every(({ taken, bytes: one }) => taken && one === bytes))
    assert.equal(sent.updates, 2 * bytes)
    const entry = log.find(({ id }) => id === result.id)
    assert.deepEqual([entry.author, entry.kinds.includes('aggregate')], [result.author, true])
    assert.ok(proposals >= 1)
  }
  const kinds = log.flatMap((entry) => entry.kinds)
  assert.equal(kinds.filter((kind) => kind === 'update').length, 2 * ROUNDS)
  const shares = whole.members.map(({ share }) => share)
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-9, `${shares}`)
  const all = whole.members.reduce((sum, { samples }) => sum + samples, 0)
  for (const { samples, share, sent, taken, lastRound } of whole.members) {
    assert.ok(Math.abs(share - samples / all) < 1e-9)
    assert.deepEqual([sent, taken, lastRound], [ROUNDS, ROUNDS, ROUNDS])
  }
  // The other member has the same history, and scores of its own.
  const bare = ({ course }) => course.map(({ score, bytes, proposals, ...round }) => round.result)
  assert.deepEqual(bare(await course(member)), bare(whole))
  const scored = [...(await course(founder)).course, ...(await course(member)).course]
  assert.ok(scored.some(({ score }) => score !== null && score.accuracy > 0.8))
  assert.deepEqual(
    (await course(founder, { from: ROUNDS })).course.map(({ round }) => round),
    [ROUNDS],
  )
  await assert.rejects(course(founder, { run: 'none' }), /no-such-run/)
}

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
  const own = { rule: 'centered-clipping', byzantine: 0, radius: 1.5, mixing: false }
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
  const expected = { rule: 'centered-clipping', byzantine: 1, radius: 0, mixing: false }
  assert.deepEqual(aggregation, expected)
})

test('a run goes by trusted rows, which are in its history', async () => {
  const at = { cwd: founder.home }
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '3', '--epochs', '1']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--deadline', '2']
  const begin = ['run', 'start', 'trusting', '--data', files.low, ...shape, ...classes]
  const trusted = join(founder.home, 'trusted.csv')
  const lines = readFileSync(files.test, 'utf8').trim().split('\n')
  writeFileSync(trusted, `${lines.slice(0, 100).join('\n')}\n`)
  const narrow = join(founder.home, 'narrow.csv')
  writeFileSync(narrow, '1,2,3\n4,5,6\n')
  for (const [options, code] of [
    [['--rule', 'fltrust'], 'usage'],
    [['--rule', 'median', '--reference', trusted], 'usage'],
    [['--mixing', '--reference', trusted], 'usage'],
    [['--reference', 'none.csv'], 'no-such-file'],
    // 260 bytes each: they do not fit into the first vertex.
    [['--reference', files.test], 'run-reference'],
    [['--reference', narrow], 'rows-do-not-fit'],
  ]) {
    const refused = await json([...begin, ...options, '--home', founder.home], at)
    assert.deepEqual([refused.ok, refused.error.code], [false, code], refused.error.message)
  }
  const sent = ['--worker-momentum', '0.5', '--rule', 'fltrust', '--reference', trusted]
  const started = await founder.data(...begin, ...sent)
  assert.deepEqual([started.aggregation, started.trustedRows], [null, 100])
  assert.equal(started.workerMomentum, 0.5)
  const trusting = async (node) =>
    (await node.data('run', 'list')).find(({ name }) => name === 'trusting')
  await until(async () => (await trusting(member)) !== undefined, 'the run arrives')
  await member.data('run', 'join', 'trusting', '--data', files.high)
  await until(async () => (await trusting(founder)).state === 'finished', 'it finishes')
  const shown = await run(['run', 'list', '--home', founder.home], at)
  assert.match(shown.stdout, /trusting .* fltrust, 100 rows/)
  const car = join(founder.home, 'trusting.car')
  await founder.data('run', 'export', 'trusting', '--output', car)
  const report = await data(['verify', car, '--retrain', '--data', files.low], at)
  assert.deepEqual([report.rounds, report.trustedRows, report.retrained.equal], [3, 100, 3])
  // The rule with mixing is one of the history, too.
  const mixed = ['run', 'start', 'mixed', '--data', files.low, ...shape, ...classes, '--mixing']
  const { aggregation } = await founder.data(...mixed)
  const expected = { rule: 'trimmed-mean', byzantine: 1, radius: 0, mixing: true }
  assert.deepEqual(aggregation, expected)
})

test('a run with noise says what it tells, and nobody trains its updates again', async () => {
  const at = { cwd: founder.home }
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '2', '--epochs', '1']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--deadline', '2']
  const begin = ['run', 'start', 'hidden', '--data', files.low, ...shape, ...classes]
  for (const options of [
    ['--noise', '1'],
    ['--clip', '1'],
    ['--delta', '0.001'],
  ]) {
    const refused = await json([...begin, ...options, '--home', founder.home], at)
    assert.deepEqual([refused.ok, refused.error.code], [false, 'usage'], options.join(' '))
  }
  const { privacy } = await founder.data(...begin, '--noise', '2', '--clip', '1')
  assert.deepEqual([privacy.clip, privacy.noise, privacy.spent], [1, 2, 0])
  // Two updates with noise of the sensitivity, which is twice the length, by dp-accounting.
  assert.ok(Math.abs(privacy.epsilon - 7.077) < 0.001, `epsilon ${privacy.epsilon}`)
  const hidden = async (node) =>
    (await node.data('run', 'list')).find(({ name }) => name === 'hidden')
  await until(async () => (await hidden(member)) !== undefined, 'the run arrives')
  await member.data('run', 'join', 'hidden', '--data', files.high)
  await until(async () => (await hidden(founder)).state === 'finished', 'it finishes')
  const { spent, epsilon } = (await hidden(founder)).privacy
  assert.ok(spent >= epsilon, `${spent} of ${epsilon}`)
  const shown = await run(['run', 'list', '--home', founder.home], at)
  assert.match(shown.stdout, /hidden .* 7.08 of 7.08 /)
  const car = join(founder.home, 'hidden.car')
  await founder.data('run', 'export', 'hidden', '--output', car)
  assert.equal((await data(['verify', car], at)).rounds, 2)
  const again = await json(['verify', car, '--retrain', '--data', files.low], at)
  assert.equal(again.error.code, 'retrain-noise')
})

test('a run with secure aggregation says so, and takes no rule beside it', async () => {
  const at = { cwd: founder.home }
  const shape = ['--layers', '64,8,10', '--range', '0,16', '--rounds', '2']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9']
  const start = ['run', 'start', 'masked', '--data', files.low, ...shape, ...classes]
  const begin = [...start, '--secure-aggregation']
  for (const options of [
    ['--rule', 'median'],
    ['--byzantine', '1'],
    ['--compression', 'int4'],
    ['--min-updates', '2'],
  ]) {
    const refused = await json([...begin, ...options, '--home', founder.home], at)
    assert.deepEqual([refused.ok, refused.error.code], [false, 'usage'], options.join(' '))
  }
  const { masking, aggregation } = await founder.data(...begin)
  assert.deepEqual([masking, aggregation], [{ clip: 16, threshold: 66 }, null])
})

test('a member that comes back takes part again', async () => {
  const shape = ['--layers', '64,16,10', '--range', '0,16', '--rounds', '400', '--deadline', '2']
  const classes = ['--classes', '0,1,2,3,4,5,6,7,8,9', '--min-updates', '2', '--epochs', '1']
  await founder.data('run', 'start', 'long', '--data', files.low, ...shape, ...classes)
  const known = async () => (await member.data('run', 'list')).map(({ name }) => name)
  await until(async () => (await known()).includes('long'), 'the run arrives')
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
  const again = await json(['run', 'leave', 'long', '--home', member.home], { cwd: member.home })
  assert.deepEqual([again.ok, again.error.code], [false, 'not-joined'])
})
