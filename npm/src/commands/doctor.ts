/** `doctor`: what this machine lacks, each with its remedy. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { type Check, failed, ok, type Result, showChecks, warning } from '../checks.js'
import { ControlClient } from '../client.js'
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { findChromium } from '../demo/browser.js'
import { toSynapticError } from '../errors.js'
import { bindServer } from '../host/sockets.js'
import { SqliteStore } from '../host/store.js'
import { hasIdentity } from '../identity.js'
import { loadFann, loadMesh, loadNeural } from '../wasm.js'

/** No machine that runs this was set before the program was written (2026-01-01). */
const CLOCK_MS_MIN = Date.UTC(2026, 0, 1)
/** A clock this far ahead is wrong (2100-01-01). */
const CLOCK_MS_MAX = Date.UTC(2100, 0, 1)

/** A module with one instruction of the 128-bit vectors that the core is compiled for. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
])

/** Looks at everything and exits with 1 if anything stands in the way. */
export async function run(context: Context): Promise<number> {
  const looks: [string, () => Result | Promise<Result>][] = [
    ['node', nodeVersion],
    ['wasm', wasm],
    ['settings', () => settings(context)],
    ['home', () => home(context)],
    ['storage', () => storage(context)],
    ['ports', () => ports(context)],
    ['clock', clock],
    ['chromium', chromium],
  ]
  const seen: Check[] = []
  for (const [name, look] of looks) seen.push({ name, ...(await attempt(look)) })
  const client = ControlClient.find(context.home)
  if (client !== undefined) seen.push(...(await client.call<Check[]>('net.doctor')))
  return showChecks(context, seen)
}

async function attempt(look: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await look()
  } catch (thrown) {
    const { message, hint } = toSynapticError(thrown)
    return failed(message, hint === '' ? 'see the message' : hint)
  }
}

function nodeVersion(): Result {
  const { node } = process.versions
  const [major = 0, minor = 0] = node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    return failed(`Node ${node}`, 'install Node 20.19 or later')
  }
  return ok(`Node ${node} on ${process.platform} ${process.arch}`)
}

async function wasm(): Promise<Result> {
  if (!WebAssembly.validate(SIMD_PROBE)) {
    return failed(
      'this processor or Node has no WebAssembly SIMD',
      'use a 64-bit x86 or ARM machine',
    )
  }
  const started = performance.now()
  await Promise.all([loadNeural(), loadFann(), loadMesh()])
  return ok(`SIMD; all artifacts loaded in ${Math.round(performance.now() - started)} ms`)
}

function settings({ home, around }: Context): Result {
  const set = Config.load(home, around)
    .list()
    .filter(({ origin }) => origin !== 'default')
  return ok(`${set.length} settings differ from the defaults`)
}

function home({ home }: Context): Result {
  if (!hasIdentity(home)) {
    return warning(`no identity in ${home.directory}`, 'run `synaptic-mesh init`')
  }
  fs.accessSync(home.directory, fs.constants.R_OK | fs.constants.W_OK)
  const mode = fs.statSync(home.identityFile).mode & 0o777
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    return failed(
      `${home.identityFile} can be read by others (mode ${mode.toString(8)})`,
      `chmod 600 ${home.identityFile}`,
    )
  }
  return ok(`${home.directory} (chosen by: ${home.origin})`)
}

/** Writes to a scratch store where the real one would be. */
function storage({ home }: Context): Result {
  const parent = fs.existsSync(home.directory) ? home.directory : os.tmpdir()
  const scratch = fs.mkdtempSync(path.join(parent, '.doctor-'))
  try {
    const store = SqliteStore.open(scratch)
    try {
      const [key, value] = [new Uint8Array([1]), new Uint8Array(4_096)]
      store.apply([['meta', key, value]])
      const found = store.get('meta', key)
      if (found?.length !== value.length) {
        return failed('what was written is not read back', 'check the disk')
      }
    } finally {
      store.close()
    }
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
  const { bsize, bavail } = fs.statfsSync(parent)
  const freeMb = Math.round((bsize * bavail) / 1e6)
  if (freeMb < 100) return warning(`SQLite works, ${freeMb} MB are free`, 'free some space')
  return ok(`SQLite in write-ahead mode works, ${freeMb} MB are free`)
}

async function ports({ home, around }: Context): Promise<Result> {
  if (ControlClient.find(home) !== undefined) return ok('a node of this home is running')
  const config = Config.load(home, around)
  const busy: number[] = []
  for (const key of ['listen.port', 'dashboard.port'] as const) {
    const host = key === 'listen.port' ? config.get('listen.host') : '127.0.0.1'
    try {
      const server = await bindServer(host, config.get(key), true)
      server.close()
    } catch (thrown) {
      if (toSynapticError(thrown).code !== 'port-busy') throw thrown
      busy.push(config.get(key))
    }
  }
  if (busy.length === 0) return ok('both ports are free')
  return warning(
    `in use: ${busy.join(', ')}; \`start\` takes the next free one`,
    'set others: `synaptic-mesh config set listen.port N`',
  )
}

/** Members tell each other their time; here only what is plainly wrong shows. */
async function clock(): Promise<Result> {
  const now = Date.now()
  if (now < CLOCK_MS_MIN || now > CLOCK_MS_MAX) {
    return failed(`the clock says ${new Date(now).toISOString()}`, 'set the clock')
  }
  const [wall, steady] = [Date.now(), performance.now()]
  await new Promise((resolve) => setTimeout(resolve, 200))
  const driftMs = Math.abs(Date.now() - wall - (performance.now() - steady))
  if (driftMs > 100) return warning(`the clock jumped by ${Math.round(driftMs)} ms`, 'check NTP')
  return ok(new Date(now).toISOString())
}

function chromium(): Result {
  const found = findChromium(process.env)
  if (found !== undefined) return ok(found)
  return warning(
    'no Chromium: `demo` uses another process instead of a tab',
    'install chromium, or name one in SYNAPTIC_CHROMIUM',
  )
}
