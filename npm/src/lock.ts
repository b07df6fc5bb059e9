/**
 * One writer per identity.
 *
 * Two processes that sign with one key would sooner or later give two vertices the same sequence
 * number, which the mesh answers by ending the author. A lock file names the process that holds
 * the identity. After a crash or `kill -9` the file stays behind, so a lock counts only while the
 * process it names is alive and is still the one that wrote it (process ids are reused; on Linux
 * the start time of the process tells the two apart).
 */
import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { SynapticError } from './errors.js'
import { SECRET_MODE, writeNew } from './files.js'

/** What the lock file holds. */
interface Owner {
  readonly pid: number
  /** Start time in clock ticks since boot, with the boot's id; empty where unknown. */
  readonly started: string
}

/** Tries before giving up when other processes keep taking the lock over at the same moment. */
const ATTEMPTS = 50
/** Between two tries; removing a dead lock takes less. */
const ATTEMPT_MS = 10

/** How long somebody else may be at work. */
const PATIENCE_MS = 10_000

/** A held lock. */
export class Lock {
  readonly #file: string
  readonly #content: string

  private constructor(file: string, content: string) {
    this.#file = file
    this.#content = content
  }

  /**
   * Takes the lock.
   *
   * @throws SynapticError `already-running` naming the process that holds it
   */
  static acquire(file: string): Lock {
    // No two locks have the same content: see `removeDead`.
    const nonce = randomBytes(12).toString('hex')
    const content = JSON.stringify({ pid: process.pid, started: startOf(process.pid), nonce })
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (writeNew(file, content, SECRET_MODE)) return new Lock(file, content)
      const current = readText(file)
      if (current === undefined) continue
      const owner = parseOwner(current)
      if (owner !== undefined && isAlive(owner)) throw alreadyRunning(owner.pid)
      if (!removeDead(file, current)) pause(ATTEMPT_MS)
    }
    throw new SynapticError(
      'already-running',
      `${file} keeps being taken by other processes`,
      'wait a moment and try again',
    )
  }

  /**
   * Takes the lock, after who has it now; for work that is done at once.
   *
   * @throws SynapticError `busy` when it is not
   */
  static wait(file: string): Lock {
    for (const until = performance.now() + PATIENCE_MS; ; pause(ATTEMPT_MS)) {
      try {
        return Lock.acquire(file)
      } catch (thrown) {
        if ((thrown as SynapticError).code !== 'already-running') throw thrown
        if (performance.now() < until) continue
        throw new SynapticError('busy', `${file} is held by another process`, 'try again', {
          cause: thrown,
        })
      }
    }
  }

  /** Gives the lock back; a lock that somebody else took over is left alone. */
  release(): void {
    if (readText(this.#file) === this.#content) fs.rmSync(this.#file, { force: true })
  }
}

/** The process that holds the lock, or undefined when nobody alive does. */
export function lockOwner(file: string): number | undefined {
  const owner = parseOwner(readText(file) ?? '')
  return owner !== undefined && isAlive(owner) ? owner.pid : undefined
}

function alreadyRunning(pid: number): SynapticError {
  return new SynapticError(
    'already-running',
    `a node with this identity is already running (process ${pid})`,
    'use it, run `synaptic-mesh stop`, or choose another identity with --home',
  )
}

/**
 * Removes a dead owner's lock; says whether it was this process that could.
 *
 * Several processes may have seen it dead, and one that removes it late must not remove the lock
 * of somebody who has taken over. So a lock is removed only by the holder of another lock, whose
 * name stands for the content that was seen, and only while that content is still there: nobody
 * else may change it, since its owner is dead. A process that died while it held that other lock is
 * dealt with in the same way, one level up.
 */
function removeDead(file: string, deadContent: string): boolean {
  const name = createHash('sha256').update(deadContent).digest('hex').slice(0, 16)
  let right: Lock
  try {
    right = Lock.acquire(`${file}.${name}`)
  } catch (thrown) {
    if ((thrown as SynapticError).code === 'already-running') return false
    throw thrown
  }
  try {
    if (readText(file) === deadContent) fs.rmSync(file, { force: true })
  } finally {
    right.release()
  }
  return true
}

/** Locks are taken before there is anything else to do meanwhile. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { pid, started } = value as Record<string, unknown>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined
    return { pid, started: typeof started === 'string' ? started : '' }
  } catch {
    return undefined
  }
}

function isAlive(owner: Owner): boolean {
  if (!processExists(owner.pid) || isZombie(owner.pid)) return false
  const started = startOf(owner.pid)
  return owner.started === '' || started === '' || owner.started === started
}

/** Whether a process with this id exists, be it ours or another user's. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A process that has ended but whose parent has not asked how; it holds nothing any more. */
function isZombie(pid: number): boolean {
  return statFields(pid)?.[0] === 'Z'
}

/**
 * The fields of /proc/PID/stat after the program's name, which may contain spaces (proc(5)).
 */
function statFields(pid: number): string[] | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Identifies one life of a process id on Linux; empty elsewhere. */
function startOf(pid: number): string {
  const boot = readText('/proc/sys/kernel/random/boot_id')
  // The start time is field 22 of the line, 20th after the name.
  const ticks = statFields(pid)?.[19]
  return ticks === undefined || boot === undefined ? '' : `${boot.trim()}/${ticks}`
}
