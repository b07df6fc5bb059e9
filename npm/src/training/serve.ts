/**
 * The receiving end of a training worker: takes requests in order, one at a time, and gives one
 * reply to each.
 *
 * Between epochs it lets messages through, so that a cancelled training ends after the epoch it
 * is in.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import { OPERATIONS, type Work } from './operations.js'
import type { Reply, Request, TrainingProgress } from './protocol.js'

/** What a worker has of its own. */
export interface WorkerSide extends Pick<Work, 'neural' | 'read'> {
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
    const report = async (progress: TrainingProgress): Promise<void> => {
      side.send({ id, progress })
      await new Promise((resolve) => setTimeout(resolve))
      if (cancelled.has(id)) throw new SynapticError('cancelled', 'the training was cancelled')
    }
    const work: Work = { neural: () => side.neural(), read: (file) => side.read(file), report }
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
