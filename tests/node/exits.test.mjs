// Every command, in one table: how it ends without an identity and without a node, and that its
// errors have one shape, in JSON and in words.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { data, json, PACKAGE, run, scratch } from './cli.mjs'

const ID = 'a'.repeat(52)
const ITEM = `bafy${'a'.repeat(55)}/0`

/** Words behind a command, where it needs some; `exit` is [without an identity, without a node]. */
const TABLE = {
  ...rows([3, 4], {
    stop: [],
    'node stop': [],
    'run start': ['digits', '--data', 'd.csv', '--layers', '4,2'],
    'run join': ['digits', '--data', 'd.csv'],
    'run leave': ['digits'],
    'run list': [],
    'run watch': ['digits'],
    'run export': ['digits', '--output', 'run.car'],
    'peer list': [],
    'peer connect': ['/ip4/127.0.0.1/tcp/1/ws'],
    'peer disconnect': [ID],
    'peer ban': [ID],
    'peer unban': [ID],
    'peer ping': [ID],
    'peer trace': [ID],
    'relay status': [],
    'net doctor': [],
    metrics: [],
    'invite create': [],
    'invite list': [],
    'invite revoke': [ID],
    'finality status': [],
    'finality list': [],
    'finality show': [ITEM],
    'finality prove': [ITEM, '--output', 'proof'],
    'committee show': [],
    'committee propose': [[ID, ID, ID, ID].join(',')],
    'wallet balance': [],
    'wallet transfer': [ID, '1'],
    'wallet hold': [ID, '1'],
    'wallet holds': [],
    'wallet pending': [],
    'wallet release': [ITEM],
    'wallet refund': [ITEM],
    'wallet history': [],
    'name register': ['mesh'],
    'name resolve': ['mesh'],
    'name renew': ['mesh'],
    'name list': [],
    'message send': [ID, 'text'],
    'message list': [],
    'group create': ['group', '--members', ID],
    'group status': [],
    'group list': ['group'],
    'group assign': ['group', 'task'],
    'group take': ['group', 'task'],
    'group release': ['group', 'task'],
    'group done': ['group', 'task'],
    'group add': ['group', ID],
    'group remove': ['group', ID],
  }),
  ...rows([3, 1], {
    'dag log': [],
    'dag show': ['bafy'],
    'dag graph': [],
    'dag verify': [],
    'dag stats': [],
    'dag repair': [],
  }),
  ...rows([3, 0], { status: [], 'node status': [] }),
  ...rows([0, 0], { init: [], doctor: [], 'config path': [], 'config list': [] }),
  ...rows([0, 0], { 'relay on': [], 'relay off': [] }),
  ...rows([0, 0], { 'config get': ['name'], 'config set': ['name', 'x'], completion: ['bash'] }),
  ...rows([1, 1], {
    verify: ['none.car'],
    'finality verify': ['none'],
    'neural train': ['--model', 'none', '--data', 'none'],
    'neural run': ['--model', 'none', '--data', 'none'],
    'neural eval': ['--model', 'none', '--data', 'none'],
    'neural info': ['--model', 'none'],
    'neural convert': ['none.json', 'there.json'],
    'neural bench': ['--model', 'none'],
    'neural create': ['--layers', '2,2', '--output', 'no/where.json'],
  }),
  // These go on until they are ended: only what comes before that is tried here.
  ...rows([3, null], { start: [], 'node start': [] }),
  ...rows([2, 2], { join: ['no link'] }),
  ...rows([null, null], { demo: [] }),
}

function rows(exit, commands) {
  return Object.fromEntries(
    Object.entries(commands).map(([name, words]) => [name, { exit, words }]),
  )
}

/** All commands that do something, by their names. */
async function commands() {
  const { buildProgram } = await import(pathToFileURL(join(PACKAGE, 'lib/program.js')).href)
  const leaves = (command, name) =>
    command.commands.length === 0
      ? [name.trim()]
      : command.commands.flatMap((one) => leaves(one, `${name} ${one.name()}`))
  return leaves(
    buildProgram('0', async () => undefined),
    '',
  )
}

/** An answer of one shape: one document, whose exit code belongs to its error. */
async function answered(name, words, cwd, exit) {
  const answer = await json([...name.split(' '), ...words], { cwd })
  const where = `${name}: ${JSON.stringify(answer).slice(0, 400)}`
  assert.equal(answer.code, exit, where)
  assert.equal(answer.ok, exit === 0, where)
  if (exit === 0) return assert.ok('data' in answer, where)
  const { code, message, hint } = answer.error
  assert.match(code, /^[a-z]+(-[a-z]+)*$/, where)
  assert.ok(message !== '' && typeof hint === 'string' && hint !== '', where)
  assert.equal(answer.stderr, '', where)
  if (exit === 2) assert.ok(['usage', 'bad-link'].includes(code), where)
  if (exit === 3) assert.equal(code, 'not-initialised', where)
  if (exit === 4) assert.equal(code, 'not-running', where)
  return undefined
}

/** Does the same for every row, a few at a time. */
async function each(names, work) {
  const left = [...names]
  const worker = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await work(name)
  }
  await Promise.all([worker(), worker(), worker()])
}

test('the table has every command', async () => {
  assert.deepEqual(Object.keys(TABLE).sort(), (await commands()).sort())
})

test('a command with an option that is none ends with 2 and names its help', async () => {
  const cwd = scratch()
  await each(Object.keys(TABLE), async (name) => {
    await answered(name, [...TABLE[name].words, '--no-such-option'], cwd, 2)
    const { code, stdout, stderr } = await run([...name.split(' '), '--no-such-option'], { cwd })
    assert.deepEqual([code, stdout], [2, ''], name)
    assert.match(stderr, /^error: .*\n {2}see `synaptic-mesh .*--help`\n$/, name)
  })
})

test('without an identity, and without a node, every command ends as the table says', async () => {
  for (const at of [0, 1]) {
    const cwd = scratch()
    if (at === 1) await data(['init', '--user'], { cwd })
    writeFileSync(join(cwd, 'd.csv'), '1,2,a\n2,1,b\n')
    await each(Object.keys(TABLE), async (name) => {
      const { exit, words } = TABLE[name]
      // What makes an identity has a place of its own, as the others are tried without.
      const place = ['init', 'config set'].includes(name) ? scratch() : cwd
      if (exit[at] !== null) await answered(name, words, place, exit[at])
    })
  }
})
