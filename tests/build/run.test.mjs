import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const RUN = new URL('../../npm/scripts/lib/run.mjs', import.meta.url).href

/** A script that says which signals it gets, and ends with their number a moment after the first. */
const CHILD = `
  let count = 0
  const hear = (signal) => {
    console.log(signal)
    count += 1
    setTimeout(() => process.exit(count), 300)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => hear(signal))
  setInterval(() => {}, 1e6)
  console.log('up')`

const PARENT = `
  import { spawn } from 'node:child_process'
  const { endOf } = await import(${JSON.stringify(RUN)})
  process.exitCode = await endOf(spawn(process.execPath, ['-e', ${JSON.stringify(CHILD)}], { stdio: 'inherit' }))`

for (const [what, signal, kill] of [
  ['Ctrl-C, which the terminal gives to all', 'SIGINT', ({ pid }) => process.kill(-pid, 'SIGINT')],
  ['a SIGTERM, which only the parent gets', 'SIGTERM', ({ pid }) => process.kill(pid, 'SIGTERM')],
]) {
  test(`${what}, reaches the child once, and its exit code comes through`, async () => {
    const args = ['--input-type=module', '-e', PARENT]
    const parent = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [up] = await once(parent.stdout, 'data')
    assert.equal(String(up).trim(), 'up')
    let heard = ''
    parent.stdout.on('data', (chunk) => {
      heard += chunk
    })
    kill(parent)
    const [code] = await once(parent, 'close')
    assert.equal(heard.trim(), signal)
    assert.equal(code, 1)
  })
}
