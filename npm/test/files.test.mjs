import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  exists,
  makePrivateDirectory,
  readBounded,
  SECRET_MODE,
  writeAtomic,
  writeNew,
} from '../dist/files.js'

const root = fs.mkdtempSync(join(tmpdir(), 'files-test-'))
after(() => fs.rmSync(root, { recursive: true }))

test('a file is replaced whole, and nothing else is left behind', () => {
  const directory = fs.mkdtempSync(join(root, 'case-'))
  const file = join(directory, 'model.json')
  writeAtomic(file, 'old')
  writeAtomic(file, 'new')
  assert.equal(fs.readFileSync(file, 'utf8'), 'new')
  assert.deepEqual(fs.readdirSync(directory), ['model.json'])
})

test('a failed write leaves the old file and no other', () => {
  const directory = fs.mkdtempSync(join(root, 'case-'))
  fs.mkdirSync(join(directory, 'model.json'))
  assert.throws(() => writeAtomic(join(directory, 'model.json'), 'x'), { code: 'not-a-file' })
  assert.deepEqual(fs.readdirSync(directory), ['model.json'])
  assert.throws(() => writeAtomic(join(directory, 'no', 'where'), 'x'), { code: 'no-such-file' })
})

test('a link stays a link, and a file that is replaced keeps its mode', () => {
  const directory = fs.mkdtempSync(join(root, 'case-'))
  const [file, link] = [join(directory, 'model.json'), join(directory, 'link.json')]
  fs.writeFileSync(file, 'old', { mode: 0o600 })
  fs.symlinkSync('model.json', link)
  writeAtomic(link, 'new')
  assert.equal(fs.readFileSync(file, 'utf8'), 'new')
  assert.ok(fs.lstatSync(link).isSymbolicLink())
  assert.equal(fs.statSync(file).mode & 0o777, 0o600)
})

test('a pipe is neither replaced nor waited for', { skip: process.platform === 'win32' }, () => {
  const pipe = join(fs.mkdtempSync(join(root, 'case-')), 'pipe')
  execFileSync('mkfifo', [pipe])
  assert.throws(() => writeAtomic(pipe, 'x'), { code: 'not-a-file', hint: /name a file/ })
  assert.throws(() => readBounded(pipe, 10), { code: 'not-a-file' })
  assert.ok(fs.statSync(pipe).isFIFO())
})

test('secrets are for their owner only, and are never overwritten', () => {
  const file = join(root, 'secret')
  assert.equal(writeNew(file, 'first', SECRET_MODE), true)
  assert.equal(writeNew(file, 'second', SECRET_MODE), false)
  assert.equal(fs.readFileSync(file, 'utf8'), 'first')
  assert.equal(fs.statSync(file).mode & 0o777, 0o600)
})

test('reading is bounded and says what is wrong', () => {
  const file = join(root, 'large')
  fs.writeFileSync(file, 'abc')
  assert.equal(readBounded(file, 3).toString(), 'abc')
  assert.throws(() => readBounded(file, 2), {
    code: 'file-too-large',
    message: /3 bytes; at most 2/,
  })
  assert.throws(() => readBounded(join(root, 'none'), 2), { code: 'no-such-file', message: /none/ })
  assert.throws(() => readBounded(root, 1e9), { code: 'not-a-file' })
})

test('what may not be looked at is an error, not absent', {
  skip: process.getuid?.() === 0,
}, () => {
  const directory = join(root, 'closed')
  fs.mkdirSync(directory, { mode: 0o000 })
  assert.throws(() => exists(join(directory, 'identity.key')), { code: 'no-permission' })
})

test('directories are made with their parents, for their owner only', () => {
  const directory = join(root, 'a', 'b', 'c')
  makePrivateDirectory(directory)
  makePrivateDirectory(directory)
  assert.equal(fs.statSync(join(root, 'a')).mode & 0o777, 0o700)
  assert.equal(fs.statSync(directory).mode & 0o777, 0o700)
  fs.writeFileSync(join(root, 'plain'), '')
  assert.throws(() => makePrivateDirectory(join(root, 'plain', 'x')), { code: /not-a-directory/ })
  assert.throws(() => makePrivateDirectory(join(root, 'plain')), { code: /not-a/ })
})

// Node's recursive mkdir tries for ever there.
test('where nothing can be made an error says so', { skip: process.platform !== 'linux' }, () => {
  assert.throws(() => makePrivateDirectory('/proc/synaptic/home'), { code: 'no-such-file' })
})
