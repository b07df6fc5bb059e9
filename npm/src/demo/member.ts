/**
 * One member of the demo: a process of its own with its own directory and identity.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ControlClient, type ControlEvent } from '../client.js'
import { type Problem, SynapticError } from '../errors.js'
import { type Home, homeAt } from '../home.js'

/** What `start --json` says first. */
export interface Ready {
  readonly nodeId: string
  readonly network: string
  readonly dashboard: string
  readonly join: string
}

/** A node is up within a second; six of them on two busy cores take longer. */
const READY_TIMEOUT_MS = 60_000
/** Time for an orderly end before the process is ended. */
const STOP_TIMEOUT_MS = 5_000
/** Lines of stderr that are kept to explain an unexpected end. */
const WORDS_KEPT = 10

const CLI = fileURLToPath(new URL('../../bin/cli.mjs', import.meta.url))

/** A running member. */
export class Member {
  readonly home: Home
  readonly #process: ChildProcess
  readonly #words: string[] = []
  readonly #listeners = new Set<(event: ControlEvent) => void>()
  #expectedEnd = false
  /** Rejects when the process ends although nobody asked it to. */
  readonly failed: Promise<never>

  private constructor(child: ChildProcess, home: Home, name: string) {
    this.#process = child
    this.home = home
    this.failed = new Promise((_, reject) => {
      const fail = (reason: string): void => {
        if (this.#expectedEnd) return
        const said = this.#words.join(' ')
        reject(new SynapticError('member-failed', `${name} ended: ${reason} ${said}`.trim()))
      }
      child.once('error', (error) => fail(error.message))
      // When all that it said has been read.
      child.once('close', (code, signal) => fail(signal ?? `exit code ${code}`))
    })
    this.failed.catch(() => undefined)
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.#hear(line)
      })
    }
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = JSON.parse(line) as ControlEvent & { readonly error?: Problem }
        if (event.error !== undefined) this.#hear(`${event.error.message}; ${event.error.hint}`)
        for (const listener of [...this.#listeners]) listener(event)
      })
    }
  }

  /** Keeps what may explain an unexpected end. */
  #hear(line: string): void {
    this.#words.push(line)
    if (this.#words.length > WORDS_KEPT) this.#words.shift()
  }

  /**
   * Starts `synaptic-mesh start` in a directory that `init` has prepared. From this call on the
   * member has to be stopped, whatever comes of it.
   */
  static launch(directory: string, name: string, join: string | undefined): Member {
    const ports = ['--port', '0', '--dashboard-port', '0', '--threads', '1']
    const link = join === undefined ? [] : ['--join', join]
    const args = [CLI, 'start', '--home', directory, '--json', ...ports, ...link]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(),
    })
    return new Member(child, homeAt(directory, 'flag'), name)
  }

  /** Waits until the node is up. */
  async ready(): Promise<Ready> {
    return (await this.next('ready', () => true, READY_TIMEOUT_MS)) as unknown as Ready
  }

  /** The control API of this member. */
  get client(): ControlClient {
    return ControlClient.connect(this.home)
  }

  /** Hears everything the member tells; gives a function that ends it. */
  listen(listener: (event: ControlEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The data of the next event of a kind that fits. */
  async next(
    event: string,
    fits: (data: ControlEvent['data']) => boolean,
    timeoutMs: number,
  ): Promise<ControlEvent['data']> {
    let unlisten: () => void = () => undefined
    let timer: NodeJS.Timeout | undefined
    const seen = new Promise<ControlEvent['data']>((resolve, reject) => {
      unlisten = this.listen((told) => {
        if (told.event === event && fits(told.data)) resolve(told.data)
      })
      timer = setTimeout(
        () => reject(new SynapticError('timeout', `a member did not report "${event}" in time`)),
        timeoutMs,
      )
    })
    try {
      return await Promise.race([seen, this.failed])
    } finally {
      unlisten()
      clearTimeout(timer)
    }
  }

  /** Ends the process at once, as a power cut would. */
  async kill(): Promise<void> {
    this.#expectedEnd = true
    this.#process.kill('SIGKILL')
    await this.#ended()
  }

  /** Ends the process in order, or at once if that takes too long. */
  async stop(): Promise<void> {
    this.#expectedEnd = true
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended()
    clearTimeout(timer)
  }

  #ended(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#process
    if (exitCode !== null || signalCode !== null || pid === undefined) return Promise.resolve()
    return new Promise((resolve) => this.#process.once('exit', () => resolve()))
  }
}

/** Settings of the user's own node are not for the members of a demo. */
function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('SYNAPTIC_'))
  return Object.fromEntries(entries)
}
