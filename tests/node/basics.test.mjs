import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, PACKAGE, run, scratch } from './cli.mjs'

/** What no pipe may ever get. */
const ESCAPE = new RegExp(String.fromCharCode(27))

const manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'))

test('--version is the version of the package', async () => {
  const cwd = scratch()
  for (const option of ['--version', '-V']) {
    const { stdout, code } = await run([option], { cwd })
    assert.equal(stdout.trim(), manifest.version)
    assert.equal(code, 0)
  }
})

test('help names every command, and the exit codes have a page', async () => {
  const cwd = scratch()
  const { stdout, code } = await run(['--help'], { cwd })
  assert.equal(code, 0)
  for (const word of 'init start node stop status join neural run dag verify demo doctor config'.split(
    ' ',
  )) {
    assert.match(stdout, new RegExp(`^  ${word}\\b`, 'm'))
  }
  const codes = await run(['help', 'exit-codes'], { cwd })
  for (const number of [0, 1, 2, 3, 4, 5, 6, 130, 143]) {
    assert.match(codes.stdout, new RegExp(`^ *${number} `, 'm'))
  }
  assert.equal((await run([], { cwd })).code, 0)
  assert.equal((await run(['neural', 'train', '--help'], { cwd })).code, 0)
})

const USAGE = [
  [['frobnicate'], /unknown command/],
  [['strat'], /Did you mean start/],
  [['neural'], /a command is missing/],
  [['neural', 'create'], /--output/],
  [['neural', 'create', '--output', 'm.json'], /--layers or --architecture/],
  [
    ['neural', 'create', '--layers', '64', '--output', 'm.json'],
    /inputs, hidden layers and outputs/,
  ],
  [['neural', 'create', '--layers', '64,0,10', '--output', 'm.json'], /inputs, hidden layers/],
  [['neural', 'train', '--model', 'm', '--data', 'd', '--epochs', 'many'], /whole number/],
  [['neural', 'train', '--model', 'm', '--data', 'd', '--test-split', '1'], /less than 1/],
  [['start', '--port', '70000'], /0 to 65535/],
  [['start', '--storage', 'paper'], /sqlite, memory/],
  [['config', 'get', 'colour'], /no setting "colour"/],
  [['run', 'start', 'digits', '--data', 'd.csv'], /--layers/],
  [['verify'], /missing required argument/],
  [['init', '--frob'], /unknown option/],
  [['--home', '', 'init'], /--home is empty/],
]

for (const [args, message] of USAGE) {
  test(`usage: ${args.join(' ')}`, async () => {
    const cwd = scratch()
    const answer = await json(args, { cwd })
    assert.equal(answer.code, 2)
    assert.equal(answer.ok, false)
    assert.equal(answer.error.code, 'usage')
    assert.match(answer.error.message, message)
    assert.equal(answer.stderr, '')
    const plain = await run(args, { cwd })
    assert.equal(plain.code, 2)
    assert.equal(plain.stdout, '')
    assert.match(plain.stderr, /^error: /)
  })
}

const NEEDS_NODE = [
  ['stop'],
  ['run', 'list'],
  ['run', 'watch', 'digits'],
  ['run', 'leave', 'digits'],
  ['run', 'join', 'digits', '--data', 'd.csv'],
  ['run', 'start', 'digits', '--data', 'd.csv', '--layers', '4,2'],
  ['run', 'export', 'digits', '--output', 'run.car'],
]

test('without an identity: exit 3; with one and no node: exit 4', async () => {
  const cwd = scratch()
  for (const args of [['start'], ['status'], ...NEEDS_NODE]) {
    const answer = await json(args, { cwd })
    assert.deepEqual([answer.code, answer.error?.code], [3, 'not-initialised'], args.join(' '))
  }
  await data(['init', '--yes'], { cwd })
  for (const args of NEEDS_NODE) {
    const answer = await json(args, { cwd })
    assert.deepEqual([answer.code, answer.error?.code], [4, 'not-running'], args.join(' '))
  }
})

test('no command asks anything or writes escape bytes, with stdin closed and no terminal', async () => {
  const cwd = scratch()
  const commands = [
    ['init'],
    ['init', '--yes'],
    ['status'],
    ['doctor'],
    ['config', 'list', '--show-origin'],
    ['config', 'path'],
    ['config', 'set', 'name', 'a mesh'],
    ['config', 'get', 'name'],
    ['completion', 'bash'],
    ['completion', 'fish'],
    ['stop'],
    ['verify', 'none.car'],
    ['--help'],
  ]
  for (const args of commands) {
    const { stdout, stderr, code } = await run(args, { cwd, timeoutMs: 20_000 })
    assert.notEqual(code, 'SIGKILL', `${args.join(' ')} hangs`)
    assert.doesNotMatch(stdout + stderr, ESCAPE, args.join(' '))
  }
  const forced = await run(['status'], { cwd, env: { FORCE_COLOR: '1' } })
  assert.match(forced.stdout, ESCAPE)
  const refused = await run(['status'], { cwd, env: { FORCE_COLOR: '1', NO_COLOR: '1' } })
  assert.doesNotMatch(refused.stdout, ESCAPE)
})

test('init makes an identity once, readable by its owner only, and is safe to repeat', async () => {
  const cwd = scratch()
  const first = await data(['init', '--yes'], { cwd })
  assert.deepEqual(Object.keys(first).sort(), [
    'changed',
    'created',
    'home',
    'left',
    'network',
    'nodeId',
  ])
  assert.equal(first.home, join(cwd, '.synaptic'))
  assert.match(first.nodeId, /^[a-z2-7]{52}$/)
  assert.match(first.network, /^[a-z2-7]{52}$/)
  assert.ok(first.created.length >= 3)
  for (const file of first.created) assert.ok(existsSync(file), file)
  const identity = join(cwd, '.synaptic', 'identity.key')
  assert.equal(statSync(identity).mode & 0o777, 0o600)
  assert.equal(statSync(join(cwd, '.synaptic')).mode & 0o777, 0o700)
  const before = readFileSync(identity)
  const second = await data(['init', '--yes'], { cwd })
  assert.deepEqual(second, { ...first, created: [] })
  assert.deepEqual(readFileSync(identity), before)
  assert.equal(readFileSync(join(cwd, '.synaptic', '.gitignore'), 'utf8'), '*\n')
})

test('init in the directories of the user, and where it is told to', async () => {
  const cwd = scratch()
  const env = { XDG_DATA_HOME: join(cwd, 'data'), XDG_CONFIG_HOME: join(cwd, 'config') }
  const user = await data(['init', '--user'], { cwd, env })
  assert.equal(user.home, join(cwd, 'data', 'synaptic-mesh'))
  assert.ok(existsSync(join(cwd, 'config', 'synaptic-mesh', 'config.json')))
  assert.equal((await data(['status'], { cwd, env })).nodeId, user.nodeId)
  const named = await data(['init', '--home', 'here'], { cwd })
  assert.equal(named.home, join(cwd, 'here'))
  const variable = await data(['init'], { cwd, env: { SYNAPTIC_HOME: join(cwd, 'there') } })
  assert.equal(variable.home, join(cwd, 'there'))
})

test('settings: set, get, list with origin, and a broken file is named', async () => {
  const cwd = scratch()
  await data(['init'], { cwd })
  await data(['config', 'set', 'listen.port', '7777'], { cwd })
  assert.deepEqual(await data(['config', 'get', 'listen.port'], { cwd }), {
    key: 'listen.port',
    value: 7777,
    origin: 'project',
  })
  const list = await data(['config', 'list', '--show-origin'], { cwd, env: { SYNAPTIC_PORT: '1' } })
  const port = list.find(({ key }) => key === 'listen.port')
  assert.deepEqual(port, { key: 'listen.port', value: 1, origin: 'env' })
  const wrong = await json(['config', 'set', 'listen.port', 'x'], { cwd })
  assert.deepEqual([wrong.code, wrong.error.code], [2, 'usage'])
  writeFileSync(join(cwd, '.synaptic', 'config.json'), '{ "listen.port": ')
  const broken = await json(['status'], { cwd })
  assert.deepEqual([broken.code, broken.error.code], [1, 'bad-config'])
  assert.match(broken.error.message, /config\.json is not JSON/)
})

test('doctor finds this machine fit, and names what is wrong with a home', async () => {
  const cwd = scratch()
  await data(['init'], { cwd })
  const report = await data(['doctor'], { cwd })
  assert.equal(report.healthy, true)
  const names = report.checks.map(({ name }) => name)
  for (const name of ['node', 'wasm', 'home', 'storage', 'ports', 'clock', 'chromium']) {
    assert.ok(names.includes(name), name)
  }
  chmodSync(join(cwd, '.synaptic', 'identity.key'), 0o644)
  const sick = await json(['doctor'], { cwd })
  assert.equal(sick.code, 1)
  const home = sick.data.checks.find(({ name }) => name === 'home')
  assert.equal(home.status, 'failed')
  assert.match(home.fix, /chmod 600/)
  for (const { status, fix } of sick.data.checks) assert.ok(status === 'ok' || fix !== '')
})

test('status without a node says so and shows what is stored', async () => {
  const cwd = scratch()
  const { nodeId, network } = await data(['init'], { cwd })
  const status = await data(['status'], { cwd })
  assert.deepEqual(
    { ...status, name: undefined },
    {
      running: false,
      nodeId,
      network,
      name: undefined,
      peers: [],
      vertices: 0,
      blobs: { count: 0, bytes: 0 },
      runs: [],
      storage: { kind: 'sqlite', path: null, bytes: 0 },
      problems: [],
    },
  )
})

test('a damaged identity, and a home that cannot be written, have their names', async () => {
  const cwd = scratch()
  await data(['init'], { cwd })
  writeFileSync(join(cwd, '.synaptic', 'identity.key'), 'not an identity')
  const damaged = await json(['start', '--port', '0'], { cwd })
  assert.deepEqual([damaged.code, damaged.error.code], [1, 'bad-identity'])
  const other = scratch()
  writeFileSync(join(other, '.synaptic'), 'a file stands here')
  const blocked = await json(['init'], { cwd: other })
  assert.equal(blocked.code, 1)
  assert.match(blocked.error.code, /not-a-directory|not-a-file|already-there|no-such-file/)
})
