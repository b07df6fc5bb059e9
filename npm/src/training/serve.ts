/**
 * The receiving end of a training worker: takes requests in order, one at a time, and gives one
 * reply to each.
 *
 * Between epochs it lets messages through now and then, so that a cancelled training ends after the
 * epoch it is in.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import { OPERATIONS } from './operations.js'
import type { Reply, Request, TrainingProgress } from './protocol.js'
import type { Work } from './rows.js'

/** A worker hears of a cancellation within this time, unless an epoch takes longer. */
const DEAF_MS_MAX = 8

/** What a worker has of its own. */
export interface WorkerSide extends Pick<Work, 'neural' | 'fann' | 'read'> {
  send(reply: Reply): void
  /** Ends the worker after a trap: the memory of the core cannot be trusted then. */
  end(): void
}

/** Returns what to do with each message that arrives. */
export function serve(side: WorkerSide): (request: Request) => void {
  const cancelled = new Set<number>()
  let queue: Promise<void> = Promise.resolve()

  const answer = async (request: Extract<Request, { operation: unknown }>): Promise<void> => {
    const { id, operation, argument } = request
    let heardMs = Number.NEGATIVE_INFINITY
    const report = async (progress: TrainingProgress): Promise<void> => {
      side.send({ id, progress })
      // A turn of the event loop takes longer than an epoch of a small network.
      if (performance.now() - heardMs > DEAF_MS_MAX) {
        await new Promise((resolve) => setTimeout(resolve))
        heardMs = performance.now()
      }
      if (cancelled.has(id)) throw new SynapticError('cancelled', 'the training was cancelled')
    }
    const { neural, fann, read } = side
    const work: Work = { neural, fann, read, report }
    try {
      const carryOut = OPERATIONS[operation] as (argument: unknown, work: Work) => Promise<unknown>
      side.send({ id, value: await carryOut(argument, work) })
    } catch (thrown) {
      side.send({ id, error: toSynapticError(thrown).toProblem() })
      if (thrown instanceof WebAssembly.RuntimeError) side.end()
    } finally {
      cancelled.delete(id)
    }
  }

  return (request) => {
    if ('cancel' in request) cancelled.add(request.id)
    else queue = queue.then(() => answer(request))
  }
}
