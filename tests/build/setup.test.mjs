// Set-up on machines that lack something: one sentence that names it and the command that gets it.
// A PATH of our own stands for the machine; nothing is installed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ROOT } from '../../npm/scripts/lib/paths.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'synaptic-mesh-setup-'))
after(() => rmSync(scratch, { recursive: true }))

/** Runs set-up where only the given commands exist. @param {Record<string, string>} commands */
function setupWith(name, commands) {
  const bin = join(scratch, name)
  mkdirSync(bin)
  symlinkSync('/bin/sh', join(bin, 'sh'))
  for (const [command, script] of Object.entries(commands)) {
    writeFileSync(join(bin, command), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, command), 0o755)
  }
  const home = join(scratch, `${name}-home`)
  const env = { PATH: bin, HOME: home, CARGO_HOME: join(home, 'cargo') }
  const args = [join(ROOT, 'npm/scripts/setup.mjs')]
  return spawnSync(process.execPath, args, { env, encoding: 'utf8' })
}

test('without Rust it names rustup and stops', () => {
  const { status, stderr } = setupWith('no-rust', { cc: 'exit 0' })
  assert.equal(status, 1)
  assert.match(stderr, /Rust.*cargo.*not in PATH/)
  assert.match(stderr, /get it with: .*sh\.rustup\.rs/)
})

test('a Rust that is too old is named with its version', () => {
  const commands = { cc: 'exit 0', cargo: 'exit 0', rustup: 'exit 0', rustc: 'echo rustc 1.70.0' }
  const { status, stderr } = setupWith('old-rust', commands)
  assert.equal(status, 1)
  assert.match(stderr, /Rust 1\.\d+ or newer \(this is 1\.70\.0\)/)
  assert.match(stderr, /rustup update stable/)
})

test('a failing command is shown with what it said', () => {
  const rustc = 'case "$1" in --print) echo /nowhere;; *) echo rustc 1.99.0;; esac'
  const rustup = 'echo "error: could not reach the server" >&2; exit 1'
  const { status, stderr } = setupWith('offline', { cc: 'exit 0', cargo: 'exit 0', rustup, rustc })
  assert.equal(status, 1)
  assert.match(stderr, /adding Rust's wasm32-unknown-unknown target \(the mesh is compiled/)
  assert.match(stderr, /rustup target add wasm32-unknown-unknown. ended with exit code 1/)
  assert.match(stderr, /could not reach the server/)
})
