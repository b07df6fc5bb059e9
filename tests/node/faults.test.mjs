import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DIGITS, data, json, scratch, TestNode, until } from './cli.mjs'

/** A disk of its own, or undefined where we may not mount one. */
function smallDisk(t, kilobytes) {
  const place = join(scratch(), 'disk')
  mkdirSync(place)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', place], {
      stdio: 'ignore',
    })
  } catch {
    return undefined
  }
  t.after(() => execFileSync('umount', ['-l', place]))
  return place
}

/** Some rows of the digits as a file. */
function rows(from, to) {
  const file = join(scratch(), 'rows.csv')
  writeFileSync(file, readFileSync(DIGITS, 'utf8').split('\n').slice(from, to).join('\n'))
  return file
}

test('a disk that fills up is said, nothing is lost, and room lets it go on', async (t) => {
  const disk = smallDisk(t, 500)
  if (disk === undefined) return t.skip('mounting a small disk is not allowed here')
  const home = join(disk, 'home')
  await data(['init', '--home', home], { cwd: disk })
  const node = await TestNode.start(home)
  const other = scratch()
  await data(['init', '--home', other, '--join', node.ready.join], { cwd: other })
  const peer = await TestNode.start(other)
  const shape = ['--layers', '64,64,10', '--rounds', '20', '--deadline', '2', '--epochs', '1']
  await node.data('run', 'start', 'big', '--data', rows(0, 300), ...shape)
  await until(async () => (await peer.data('run', 'list')).length === 1, 'the run arrives')
  await peer.data('run', 'join', 'big', '--data', rows(300, 600))
  const { data: warning } = await node.event('warning', ({ code }) => code === 'storage-full')
  assert.match(warning.message, /full/)
  assert.notEqual(warning.hint, '')
  const status = await node.data('status')
  assert.equal(status.running, true)
  execFileSync('mount', ['-o', 'remount,size=64m', disk])
  await node.event('run', ({ state }) => state === 'finished', 120_000)
  await node.kill()
  const again = await TestNode.start(home)
  assert.equal((await again.data('run', 'list'))[0].round, 20)
  await again.stop()
  await peer.stop()
})

test('no room at all is one clear error', async (t) => {
  const disk = smallDisk(t, 400)
  if (disk === undefined) return t.skip('mounting a small disk is not allowed here')
  const home = join(disk, 'home')
  await data(['init', '--home', home], { cwd: disk })
  let filler = Buffer.alloc(1 << 18)
  for (let n = 0; filler.length >= 512; n += 1) {
    try {
      writeFileSync(join(disk, `filler-${n}`), filler)
    } catch {
      filler = filler.subarray(0, filler.length / 2)
    }
  }
  const start = await json(['start', '--home', home, '--port', '0', '--dashboard-port', '0'], {
    cwd: disk,
  })
  assert.equal(start.code, 1)
  assert.match(start.error.code, /^(storage|disk)-full$/)
  const init = await json(['init', '--home', join(disk, 'second')], { cwd: disk })
  assert.deepEqual([init.code, init.error.code], [1, 'disk-full'])
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
