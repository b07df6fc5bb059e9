/**
 * The workers that train, so that the node goes on answering its peers meanwhile: threads of Node
 * and workers of a page alike, which is why this file knows neither.
 *
 * Rows belong to a *group* (a run); all rows of a group live in one worker, and so does all work
 * on them. A worker that dies takes its rows along: the pool remembers how they were read and
 * reads them again in the next one. Workers start when they are first needed.
 */
import { SynapticError } from '../errors.js'
import type { Answer, Argument, Operation, Reply, Request, TrainingProgress } from './protocol.js'

/** Requests that may wait in one worker; a node has one job per run under way. */
const PENDING_MAX = 256

/** What a worker tells the pool. */
export interface WorkerHandlers {
  reply(reply: Reply): void
  /** The worker has ended, or cannot start. */
  end(detail: string, cause?: unknown): void
}

/** A worker as its host makes it. */
export interface WorkerPort {
  post(request: Request): void
  /** Whether requests are under way: an idle worker shall not keep a process alive. */
  busy(busy: boolean): void
  terminate(): Promise<void>
}

/** Starts a worker. */
export type SpawnWorker = (handlers: WorkerHandlers) => WorkerPort

/** How a request is made. */
export interface RequestOptions {
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: SynapticError) => void
  readonly onProgress: ((progress: TrainingProgress) => void) | undefined
}

/** One worker and what it has been asked. */
class Colleague {
  readonly groups = new Set<string>()
  readonly #worker: WorkerPort
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #dead: SynapticError | undefined

  constructor(spawn: SpawnWorker, onDeath: () => void) {
    const end = (detail: string, cause?: unknown): void => {
      if (this.#dead !== undefined) return
      this.#dead = new SynapticError(
        'training-stopped',
        `the training worker ended: ${detail}`,
        'if this repeats, use fewer rows or a smaller network',
        { cause },
      )
      onDeath()
      for (const { reject } of this.#pending.values()) reject(this.#dead)
      this.#pending.clear()
    }
    this.#worker = spawn({ reply: (reply) => this.#receive(reply), end })
  }

  /** Asks the worker; answers come in the order of the questions. */
  request<O extends Operation>(
    operation: O,
    argument: Argument<O>,
    { onProgress, signal }: RequestOptions,
  ): Promise<Answer<O>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(
        new SynapticError('busy', `${PENDING_MAX} requests wait for the training worker`),
      )
    }
    const id = this.#nextId
    this.#nextId += 1
    const cancel = (): void => this.#worker.post({ id, cancel: true })
    return new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress })
      this.#worker.busy(true)
      this.#worker.post({ id, operation, argument })
      if (signal?.aborted === true) cancel()
      else signal?.addEventListener('abort', cancel, { once: true })
    }).finally(() => signal?.removeEventListener('abort', cancel)) as Promise<Answer<O>>
  }

  terminate(): Promise<void> {
    return this.#worker.terminate()
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id)
    if (pending === undefined) return
    if ('progress' in reply) {
      pending.onProgress?.(reply.progress)
      return
    }
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) this.#worker.busy(false)
    if ('error' in reply) {
      const { code, message, hint } = reply.error
      pending.reject(new SynapticError(code, message, hint))
    } else {
      pending.resolve(reply.value)
    }
  }
}

/** Workers for training, and where which rows are. */
export class WorkerPool {
  readonly #size: number
  readonly #spawn: SpawnWorker
  readonly #workers = new Set<Colleague>()
  /** Settled once the rows of the group are there, where they had to be read again. */
  readonly #workerOf = new Map<string, Promise<Colleague>>()
  readonly #loads = new Map<string, Map<string, Argument<'load'>>>()
  #closed = false

  constructor(size: number, spawn: SpawnWorker) {
    this.#size = size
    this.#spawn = spawn
  }

  /** Asks the worker of a group. Rows loaded for the group before are there. */
  async request<O extends Operation>(
    group: string,
    operation: O,
    argument: Argument<O>,
    options: RequestOptions = {},
  ): Promise<Answer<O>> {
    const worker = await this.#workerFor(group)
    const answer = await worker.request(operation, argument, options)
    if (operation === 'load') {
      const load = argument as Argument<'load'>
      const loads = this.#loads.get(group) ?? new Map<string, Argument<'load'>>()
      this.#loads.set(group, loads.set(load.id, load))
    }
    return answer
  }

  /** Forgets all rows of a group. */
  async forget(group: string): Promise<void> {
    const loads = this.#loads.get(group)
    const known = this.#workerOf.get(group)
    this.#loads.delete(group)
    this.#workerOf.delete(group)
    const worker = await known?.catch(() => undefined)
    worker?.groups.delete(group)
    if (loads === undefined || worker === undefined) return
    await Promise.all([...loads.keys()].map((id) => worker.request('unload', { id }, {})))
  }

  /** Ends all workers; what they were doing fails with `training-stopped`. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#workers].map((worker) => worker.terminate()))
  }

  #workerFor(group: string): Promise<Colleague> {
    const known = this.#workerOf.get(group)
    if (known !== undefined) return known
    const worker = this.#assign(group)
    this.#workerOf.set(group, worker)
    // Rows that could not be read again are tried again for the next request.
    worker.catch(() => {
      if (this.#workerOf.get(group) === worker) this.#workerOf.delete(group)
    })
    return worker
  }

  async #assign(group: string): Promise<Colleague> {
    if (this.#closed) throw new SynapticError('training-stopped', 'the training workers are closed')
    const worker = this.#leastBusy()
    worker.groups.add(group)
    try {
      for (const load of this.#loads.get(group)?.values() ?? []) {
        await worker.request('load', load, {})
      }
    } catch (thrown) {
      worker.groups.delete(group)
      throw thrown
    }
    return worker
  }

  #leastBusy(): Colleague {
    const workers = [...this.#workers].sort((a, b) => a.groups.size - b.groups.size)
    const first = workers[0]
    if (first !== undefined && (first.groups.size === 0 || workers.length >= this.#size))
      return first
    const worker = new Colleague(this.#spawn, () => this.#remove(worker))
    this.#workers.add(worker)
    return worker
  }

  #remove(worker: Colleague): void {
    this.#workers.delete(worker)
    for (const group of worker.groups) this.#workerOf.delete(group)
  }
}
