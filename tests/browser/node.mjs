/**
 * A real node for browser tests: the command line of the packed package, in a home of its own.
 *
 * `SYNAPTIC_PACKAGE` names the unpacked package; `dist/` of this repository is the default.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PACKAGE = resolve(
  process.env.SYNAPTIC_PACKAGE ?? fileURLToPath(new URL('../../dist', import.meta.url)),
)
const CLI = join(PACKAGE, 'bin', 'cli.mjs')
/** The digits as the package carries them. */
export const DIGITS = join(PACKAGE, 'data', 'digits.csv')

const READY_TIMEOUT_MS = 20_000

/** Starts a node and waits until it says that it is ready. */
export async function startNode() {
  const home = mkdtempSync(join(tmpdir(), 'synaptic-mesh-node-'))
  const env = { ...process.env, SYNAPTIC_HOME: home }
  const command = async (...args) => {
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args, '--json'], {
      env,
    })
    return JSON.parse(stdout).data
  }
  await command('init', '--yes')
  const args = [CLI, 'start', '--port', '0', '--dashboard-port', '0', '--json']
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((done) => child.once('exit', done))
  const ready = await readyOf(child)
  return {
    ...ready,
    origin: new URL(ready.join).origin,
    token: new URLSearchParams(new URL(ready.dashboard).hash.slice(1)).get('token'),
    /** Runs another command on this node and gives its `data`. */
    command,
    /** Ends the process without a chance to say goodbye. */
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function readyOf(child) {
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const lines = createInterface({ input: child.stdout })
  const late = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS)
  for await (const line of lines) {
    const { event, data } = JSON.parse(line)
    if (event !== 'ready') continue
    clearTimeout(late)
    // What follows is not needed, and an unread pipe would stop the node.
    child.stdout.resume()
    return data
  }
  throw new Error(`the node did not become ready: ${errors}`)
}
