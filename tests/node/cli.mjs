/**
 * The command line as its users have it: the installed package, closed stdin, no terminal.
 *
 * The package is the one that `SYNAPTIC_PACKAGE` names, else the packed and installed build.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { packed } from '../packed.mjs'

/** Folder of the installed package. */
export const PACKAGE = process.env.SYNAPTIC_PACKAGE ?? packed().package

const CLI = join(PACKAGE, 'bin', 'cli.mjs')

/** Handwritten digits: 64 pixels of 0 to 16, then the digit. */
export const DIGITS = join(PACKAGE, 'data', 'digits.csv')

/** Longer than the longest of the commands' own time-outs, 120 s: they say what went wrong. */
const TIMEOUT_MS = 180_000

const folders = []
const children = new Set()

after(() => {
  for (const child of children) child.kill('SIGKILL')
  // Browsers that were killed go on writing for a moment.
  const options = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }
  for (const folder of folders) rmSync(folder, options)
})

/** A folder of its own for one test. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'synaptic-mesh-test-'))
  folders.push(folder)
  return folder
}

/** The environment without what would change the program, in a home that is nobody's. */
export function environment(home, more = {}) {
  const clean = Object.entries(process.env).filter(
    ([name]) => !/^(SYNAPTIC_|XDG_|NO_COLOR|FORCE_COLOR|CI$|NODE_)/.test(name),
  )
  return { ...Object.fromEntries(clean), HOME: home, ...more }
}

/** Starts a command; `cwd` is also its HOME. */
export function start(args, { cwd, env = {}, command, detached = false } = {}) {
  const [program, ...first] = command ?? [process.execPath, CLI]
  const child = spawn(program, [...first, ...args], {
    cwd,
    detached,
    env: environment(cwd, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** Runs a command to its end. */
export async function run(args, options = {}) {
  const child = start(args, options)
  const out = []
  const err = []
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => err.push(chunk))
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? TIMEOUT_MS)
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  const stdout = Buffer.concat(out).toString()
  return { code: code ?? signal, stdout, stderr: Buffer.concat(err).toString() }
}

/** Runs a command with `--json` and reads its one document. */
export async function json(args, options = {}) {
  const { code, stdout, stderr } = await run([...args, '--json'], options)
  let document
  try {
    document = JSON.parse(stdout)
  } catch {
    throw new Error(`${args.join(' ')}: not one JSON document (code ${code}): ${stdout}${stderr}`)
  }
  return { code, stderr, ...document }
}

/** As `json`, and fails unless the command succeeded. */
export async function data(args, options = {}) {
  const answer = await json(args, options)
  if (answer.code === 0 && answer.ok) return answer.data
  throw new Error(`${args.join(' ')} failed: ${JSON.stringify(answer)}`)
}

/** New homes with an identity each: their folders and the ids of their nodes. */
export async function identities(count) {
  const homes = []
  for (let at = 0; at < count; at += 1) {
    const home = scratch()
    homes.push({ home, id: (await data(['init', '--home', home], { cwd: home })).nodeId })
  }
  return homes
}

/** A running node with what it says. */
export class TestNode {
  events = []
  #waiting = []

  /** Starts a node in `home`, which `init` or a test has made. */
  static async start(home, args = [], options = {}) {
    const ports = ['--port', '0', '--dashboard-port', '0']
    const child = start(['start', '--home', home, '--json', ...ports, ...args], {
      cwd: home,
      ...options,
    })
    const node = new this(child, home)
    node.ready = (await node.event('ready')).data
    return node
  }

  constructor(child, home) {
    this.child = child
    this.home = home
    this.stderr = ''
    child.stderr.on('data', (chunk) => {
      this.stderr += chunk
    })
    this.ended = once(child, 'close').then(([code, signal]) => code ?? signal)
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line))
      for (const look of [...this.#waiting]) look()
    })
  }

  /** The first event of a kind that fits, past or to come. */
  event(kind, fits = () => true, timeoutMs = TIMEOUT_MS) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => end(reject, new Error(`no "${kind}" in time: ${this.stderr}`)),
        timeoutMs,
      )
      const end = (settle, value) => {
        clearTimeout(timer)
        this.#waiting = this.#waiting.filter((one) => one !== look)
        settle(value)
      }
      const look = () => {
        const found = this.events.find(({ event, data }) => event === kind && fits(data))
        if (found !== undefined) end(resolve, found)
      }
      this.#waiting.push(look)
      this.ended.then((code) => end(reject, new Error(`the node ended (${code}): ${this.stderr}`)))
      look()
    })
  }

  /** A command on this node. */
  data(...args) {
    return data([...args, '--home', this.home], { cwd: this.home })
  }

  /** A command over the API, quicker than a process for it; a dead node is a TypeError. */
  async api(command, body = {}) {
    const { origin, hash } = new URL(this.ready.dashboard)
    const authorization = `Bearer ${hash.slice('#token='.length)}`
    const answer = await this.fetched(`${origin}/api/${command}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${command}: ${JSON.stringify(answer.error)}`)
    return answer.data
  }

  /** What a server of this node answers, read as JSON. */
  async fetched(url, init) {
    return (await fetch(url, init)).json()
  }

  async kill() {
    this.child.kill('SIGKILL')
    await this.ended
  }

  async stop() {
    this.child.kill('SIGTERM')
    return this.ended
  }
}

/** Waits until something asynchronous is true. */
export async function until(condition, what, timeoutMs = TIMEOUT_MS) {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`${what}: not in time`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
