/** Where a node is called, through whom, and what it says of that. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { data, json, PACKAGE, scratch, TestNode, until } from './cli.mjs'

const { decodeJoinLink } = await import(pathToFileURL(join(PACKAGE, 'node.mjs')).href)

async function node(args = [], link = undefined) {
  const home = scratch()
  const joining = link === undefined ? [] : ['--join', link]
  await data(['init', '--home', home, ...joining], { cwd: home })
  return TestNode.start(home, [...joining, ...args])
}

const row = (checks, name) => checks.find((check) => check.name === name)

test('net doctor says who is there, and why others are not', async () => {
  const alone = await node()
  const first = await alone.data('net', 'doctor')
  assert.equal(first.healthy, true)
  assert.match(row(first.checks, 'webrtc').detail, /^goes on directly|node-datachannel/)
  assert.match(row(first.checks, 'listening').fix, /--host 0\.0\.0\.0/)
  assert.match(row(first.checks, 'peers').fix, /join LINK/)
  assert.equal(row(first.checks, 'calls').status, 'ok')

  const other = await node([], alone.ready.join)
  await other.event('peer', ({ state }) => state === 'connected')
  const met = await other.data('net', 'doctor')
  assert.deepEqual(
    met.checks
      .filter(({ name }) => ['peers', 'answers', 'calls'].includes(name))
      .map(({ status }) => status),
    ['ok', 'ok', 'ok'],
  )
  assert.match(row(met.checks, 'answers').detail, /^1 peer answered, the slowest in \d+ ms$/)
  const whole = await other.data('doctor')
  assert.ok(row(whole.checks, 'answers'), 'doctor has the rows of a node that runs')

  await alone.kill()
  const failing = async () => {
    const found = await json(['net', 'doctor', '--home', other.home], { cwd: other.home })
    return found.code === 1 ? found : undefined
  }
  const { data: broken } = await until(failing, 'the call of who is gone has failed')
  const calls = row(broken.checks, 'calls')
  assert.equal(calls.status, 'failed')
  assert.match(calls.detail, /nobody listens there: start that node, or ask for a fresh link/)
  await other.kill()
})

test('an address that is announced is told to others, with the peer id of the node', async () => {
  const address = '/dns4/mesh.example/tcp/443/wss'
  const announcing = await node(['--announce', address])
  const { addresses } = decodeJoinLink(announcing.ready.join)
  const [first] = addresses.filter((one) => one.startsWith(address))
  const own = addresses.find((one) => one.startsWith('/ip4/127.0.0.1/'))
  assert.equal(first, `${address}/p2p/${own.split('/p2p/')[1]}`)
  const { checks } = await announcing.data('net', 'doctor')
  assert.match(row(checks, 'callers').detail, /a public address: \/dns4\/mesh\.example/)
  await announcing.kill()

  const cwd = scratch()
  await data(['init', '--home', cwd], { cwd })
  const refused = await json(['start', '--home', cwd, '--announce', 'mesh.example'], { cwd })
  assert.deepEqual([refused.ok, refused.code], [false, 2])
  assert.match(refused.error.message, /--announce/)
  for (const words of [
    ['--announce', '/ip4/192.0.2.1/tcp/99999/ws'],
    ['--announce', '/ip4/999.0.2.1/tcp/80/ws'],
    ['--relay', 'mesh.example'],
    ['--relay', ''],
  ]) {
    const bad = await json(['start', '--home', cwd, ...words], { cwd })
    assert.deepEqual([bad.ok, bad.code, bad.error.code], [false, 2, 'usage'], words.join(' '))
  }
})

test('a member that is named as relay is called first', async () => {
  const relay = await node()
  const [address] = decodeJoinLink(relay.ready.join).addresses
  const home = scratch()
  const network = decodeJoinLink(relay.ready.join).network
  await data(['init', '--home', home, '--network', network], { cwd: home })
  const member = await TestNode.start(home, ['--relay', address])
  await member.event('peer', ({ state }) => state === 'connected')
  await Promise.all([relay, member].map((one) => one.kill()))
})
