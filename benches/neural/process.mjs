// An engine's process, and the conversation with it: see contestant.mjs.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from '../../npm/scripts/lib/paths.mjs'
import { Cannot } from './cannot.mjs'

/** The slowest answer there is: an epoch of a CNN in tfjs-cpu, on a busy machine. */
const ANSWER_MS_MAX = 300_000
const STDERR_LINES = 3
const REPLY = /^(ok|no|error) ?(.*)$/

export const CONTESTANT = fileURLToPath(new URL('./contestant.mjs', import.meta.url))

/** How a module that contestant.mjs loads is started. */
export const inNode = (module, ...variant) => [
  process.execPath,
  '--expose-gc',
  CONTESTANT,
  new URL(module, import.meta.url).href,
  ...variant,
]

/** One thread for everyone: ours has no more, and threads would hide the work in other cores. */
const environment = () => ({
  ...childEnvironment(),
  OMP_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  RAYON_NUM_THREADS: '1',
})

/** A running engine. Whoever starts one stops it. */
export class Engine {
  #child
  #waiting = null
  #said = []

  constructor([command, ...args]) {
    this.#child = spawn(command, args, { env: environment(), stdio: 'pipe' })
    this.#child.on('error', (error) => this.#reply('error', error.message))
    this.#child.on('close', (code, signal) =>
      this.#reply('error', `it ended with ${signal ?? code}: ${this.#said.join(' | ')}`),
    )
    // A process that has just ended is told by `close`.
    this.#child.stdin.on('error', () => undefined)
    createInterface(this.#child.stdout).on('line', (line) => {
      const [, word, rest] = REPLY.exec(line) ?? []
      if (word) this.#reply(word, rest)
    })
    createInterface(this.#child.stderr).on('line', (line) => {
      this.#said = [...this.#said, line].slice(-STDERR_LINES)
    })
  }

  /** What it answers; throws what it cannot do, or what went wrong. */
  ask(...words) {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) return reject(new Error('it has ended'))
      const timer = setTimeout(() => {
        this.#reply('error', `no answer to ${words[0]} in ${ANSWER_MS_MAX / 1000} s`)
        this.stop()
      }, ANSWER_MS_MAX)
      this.#waiting = (word, rest) => {
        clearTimeout(timer)
        if (word === 'ok') resolve(rest)
        else reject(word === 'no' ? new Cannot(rest) : new Error(rest))
      }
      this.#child.stdin.write(`${words.join(' ')}\n`)
    })
  }

  #reply(word, rest) {
    this.#waiting?.(word, rest)
    this.#waiting = null
  }

  stop() {
    this.#child.kill('SIGKILL')
  }
}
