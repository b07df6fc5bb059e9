// After a panic or a trap nothing of the instance can be trusted: every call, waiting or new, is
// rejected with `node-dead`, the process lives on, and so does every other instance.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { childEnvironment } from '../../npm/scripts/lib/paths.mjs'
import { loadCore } from './core.mjs'

const DYING = fileURLToPath(new URL('dying.mjs', import.meta.url))

// Builds the module here, so that the children find it done.
await loadCore()

for (const [how, kill, cause] of [
  ['panic', 'testPanic', /a test panics/],
  ['trap without a panic', 'testTrap', /WebAssembly trap/],
]) {
  test(`after a ${how} every call is rejected`, async () => {
    const options = { env: childEnvironment(), timeout: 120_000 }
    const { stdout } = await promisify(execFile)(process.execPath, [DYING, kill], options)
    const { outcomes, uncaught, otherRunning } = JSON.parse(stdout)
    assert.equal(outcomes.length, 11)
    for (const outcome of outcomes) {
      assert.equal(outcome.code, 'node-dead', outcome.name)
      assert.match(outcome.cause, cause, outcome.name)
      assert.match(outcome.hint, /create a new node/, outcome.name)
    }
    assert.equal(uncaught.length, 1, 'the trap itself, once')
    assert.match(uncaught[0], /unreachable/)
    assert.equal(otherRunning, true)
  })
}
