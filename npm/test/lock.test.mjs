import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Lock, lockOwner } from '../dist/lock.js'

const root = fs.mkdtempSync(join(tmpdir(), 'lock-test-'))
after(() => fs.rmSync(root, { recursive: true }))

test('a lock is held once and can be taken again after its release', () => {
  const file = join(root, 'once')
  const lock = Lock.acquire(file)
  assert.throws(() => Lock.acquire(file), {
    code: 'already-running',
    message: new RegExp(`process ${process.pid}`),
  })
  assert.equal(lockOwner(file), process.pid)
  lock.release()
  assert.equal(lockOwner(file), undefined)
  Lock.acquire(file).release()
  assert.deepEqual(fs.readdirSync(root), [])
})

test('the lock of a killed process counts no more', async () => {
  const file = join(root, 'killed')
  const module = new URL('../dist/lock.js', import.meta.url).href
  const code = `const { Lock } = await import(${JSON.stringify(module)})
    Lock.acquire(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code])
  await once(child.stdout, 'data')
  assert.equal(lockOwner(file), child.pid)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(lockOwner(file), undefined)
  Lock.acquire(file).release()
})

test('a process id that was given to another program is no owner', {
  skip: process.platform !== 'linux',
}, () => {
  const file = join(root, 'reused')
  fs.writeFileSync(file, JSON.stringify({ pid: process.pid, started: 'another-boot/1' }))
  assert.equal(lockOwner(file), undefined)
  Lock.acquire(file).release()
})

test('a damaged lock file does not keep anybody out', () => {
  const file = join(root, 'damaged')
  for (const content of ['', '{', '[]', '{"pid":"x"}', '{"pid":-1}']) {
    fs.writeFileSync(file, content)
    Lock.acquire(file).release()
  }
})

// One process had seen a dead lock, another took it over, a third came while the first moved what
// it still thought dead out of the way: two of them held the lock.
test('of three that find a dead lock one after another, one gets it', (t) => {
  const file = join(root, 'three')
  fs.writeFileSync(file, JSON.stringify({ pid: 2 ** 22 + 1, started: '' }))
  const held = []
  const comes = (name) => {
    try {
      Lock.acquire(file)
      held.push(name)
    } catch (thrown) {
      assert.equal(thrown.code, 'already-running')
    }
  }
  const { readFileSync, renameSync, rmSync } = fs
  let reads = 0
  t.mock.method(fs, 'readFileSync', (path, ...rest) => {
    const content = readFileSync(path, ...rest)
    if (path !== file) return content
    reads += 1
    if (reads === 1) comes('second')
    return content
  })
  const whenGone =
    (remove) =>
    (path, ...rest) => {
      remove(path, ...rest)
      if (path === file) comes('third')
    }
  t.mock.method(fs, 'renameSync', whenGone(renameSync))
  t.mock.method(fs, 'rmSync', whenGone(rmSync))
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
    for (const name of fs.readdirSync(root)) fs.rmSync(join(root, name))
  })
  comes('first')
  assert.equal(held.length, 1, held.join(', '))
})

test('a process that died while it removed a dead lock keeps nobody out', () => {
  const file = join(root, 'remover')
  const dead = JSON.stringify({ pid: 2 ** 22 + 1, started: '' })
  fs.writeFileSync(file, dead)
  const name = createHash('sha256').update(dead).digest('hex').slice(0, 16)
  fs.writeFileSync(`${file}.${name}`, dead)
  Lock.acquire(file).release()
  assert.deepEqual(
    fs.readdirSync(root).filter((entry) => entry.startsWith('remover')),
    [],
  )
})

test('of many that start at once exactly one gets the lock', async () => {
  const file = join(root, 'race')
  fs.writeFileSync(file, JSON.stringify({ pid: 2 ** 22 + 1, started: '' }))
  const module = new URL('../dist/lock.js', import.meta.url).href
  const code = `const { Lock } = await import(${JSON.stringify(module)})
    try { Lock.acquire(${JSON.stringify(file)}); console.log('held') } catch (e) { console.log(e.code) }
    setTimeout(() => {}, 3000)`
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', code]),
  )
  const words = await Promise.all(
    children.map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()),
  )
  for (const child of children) child.kill('SIGKILL')
  assert.deepEqual(words.sort(), [...Array(5).fill('already-running'), 'held'])
})
