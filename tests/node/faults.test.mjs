import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, PACKAGE, scratch, TestNode, until } from './cli.mjs'

/** A full disk; a limit on files is an error of the disk to SQLite. */
const FULL = /^((storage|disk)-full|storage-failed)$/

const CLI = [process.execPath, join(PACKAGE, 'bin', 'cli.mjs')]

/**
 * A home on a disk of its own, or where we may not mount one, a limit on the size of its files.
 * `command` runs in it; `enlarge` makes room for a process that is running.
 */
function smallDisk(t, kilobytes) {
  const place = join(scratch(), 'disk')
  mkdirSync(place)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', place], {
      stdio: 'ignore',
    })
  } catch {
    const limit = ['bash', '-c', `ulimit -S -f ${kilobytes}; exec "$0" "$@"`]
    const enlarge = ({ pid }) => execFileSync('prlimit', ['--fsize=unlimited', `--pid=${pid}`])
    return { place, command: [...limit, ...CLI], enlarge, isMounted: false }
  }
  t.after(() => execFileSync('umount', ['-l', place]))
  const enlarge = () => execFileSync('mount', ['-o', 'remount,size=64m', place])
  return { place, command: CLI, enlarge, isMounted: true }
}

/** Some rows of the digits as a file. */
function rows(from, to) {
  const file = join(scratch(), 'rows.csv')
  writeFileSync(file, readFileSync(DIGITS, 'utf8').split('\n').slice(from, to).join('\n'))
  return file
}

test('a disk that fills up is said, nothing is lost, and room lets it go on', async (t) => {
  const { place, command, enlarge } = smallDisk(t, 500)
  const home = join(place, 'home')
  await data(['init', '--home', home], { cwd: place })
  const node = await TestNode.start(home, [], { command })
  const other = scratch()
  await data(['init', '--home', other, '--join', node.ready.join], { cwd: other })
  const peer = await TestNode.start(other)
  const shape = ['--layers', '64,64,10', '--rounds', '20', '--deadline', '2', '--epochs', '1']
  await node.data('run', 'start', 'big', '--data', rows(0, 300), ...shape)
  await until(async () => (await peer.data('run', 'list')).length === 1, 'the run arrives')
  await peer.data('run', 'join', 'big', '--data', rows(300, 600))
  const { data: warning } = await node.event('warning', ({ code }) => FULL.test(code))
  assert.match(warning.message, /full|disk I\/O error/)
  assert.notEqual(warning.hint, '')
  const status = await node.data('status')
  assert.equal(status.running, true)
  enlarge(node.child)
  await node.event('run', ({ state }) => state === 'finished', 120_000)
  await node.kill()
  const again = await TestNode.start(home)
  assert.equal((await again.data('run', 'list'))[0].round, 20)
  await again.stop()
  await peer.stop()
})

test('no room at all is one clear error', async (t) => {
  const { place, isMounted } = smallDisk(t, 400)
  const home = join(place, 'home')
  await data(['init', '--home', home], { cwd: place })
  if (isMounted) fill(place)
  const command = isMounted ? CLI : ['bash', '-c', 'ulimit -f 0; exec "$0" "$@"', ...CLI]
  const ports = ['--port', '0', '--dashboard-port', '0']
  const start = await json(['start', '--home', home, ...ports], { cwd: place, command })
  assert.equal(start.code, 1)
  assert.match(start.error.code, FULL)
  const init = await json(['init', '--home', join(place, 'second')], { cwd: place, command })
  assert.deepEqual([init.code, init.error.code], [1, 'disk-full'])
})

/** Writes until not even half a kilobyte fits. */
function fill(place) {
  let filler = Buffer.alloc(1 << 18)
  for (let n = 0; filler.length >= 512; n += 1) {
    try {
      writeFileSync(join(place, `filler-${n}`), filler)
    } catch {
      filler = filler.subarray(0, filler.length / 2)
    }
  }
}

/** Runs as somebody who may not do everything: root without the right to overrule modes. */
const MORTAL =
  process.getuid?.() === 0
    ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', ...CLI]
    : CLI

test('a missing permission is named with its path, and nothing is half-done', async () => {
  const cwd = scratch()
  const refuse = async (args, code, path) => {
    const answer = await json(args, { cwd, command: MORTAL })
    assert.deepEqual([answer.code, answer.error?.code], [1, code], args.join(' '))
    assert.ok(answer.error.message.includes(path), answer.error.message)
    assert.notEqual(answer.error.hint, '')
  }
  const closed = join(cwd, 'closed')
  mkdirSync(closed)
  const model = join(closed, 'm.json')
  chmodSync(closed, 0o500)
  await refuse(['init', '--home', join(closed, 'home')], 'no-permission', closed)
  const create = ['neural', 'create', '--layers', '2,2', '--output', model]
  await refuse(create, 'no-permission', closed)
  assert.deepEqual(readdirSync(closed), [])
  chmodSync(closed, 0o000)
  // What may not be looked at is not taken for absent: no second identity is made.
  await refuse(['status', '--home', closed], 'no-permission', closed)
  chmodSync(closed, 0o700)

  const home = join(cwd, 'home')
  await data(['init', '--home', home], { cwd })
  const node = await TestNode.start(home)
  const { storage } = await node.data('status')
  await node.stop()
  const start = ['start', '--home', home, '--port', '0', '--dashboard-port', '0']
  chmodSync(storage.path, 0o400)
  await refuse(start, 'storage-permission', storage.path)
  chmodSync(storage.path, 0o600)
  chmodSync(dirname(storage.path), 0o000)
  await refuse(start, 'no-permission', dirname(storage.path))
  chmodSync(dirname(storage.path), 0o700)
  const identity = join(home, 'identity.key')
  chmodSync(identity, 0o000)
  await refuse(start, 'no-permission', identity)
})

test('a clock that is an hour off is said on both sides, and the mesh works all the same', async () => {
  const home = scratch()
  await data(['init', '--home', home], { cwd: home })
  const node = await TestNode.start(home)
  const late = join(scratch(), 'late.mjs')
  writeFileSync(late, 'const now = Date.now; Date.now = () => now() - 3_600_000\n')
  const other = scratch()
  await data(['init', '--home', other, '--join', node.ready.join], { cwd: other })
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(late).href}` }
  const peer = await TestNode.start(other, [], { env })
  for (const one of [node, peer]) {
    await one.event('peer', ({ state }) => state === 'connected')
    const { data: warning } = await one.event('warning', ({ code }) => code === 'clock-skew')
    assert.match(warning.message, /3600|3599|3601/)
  }
  await peer.stop()
  await node.stop()
})
