/**
 * The training workers of Node: threads of this process.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type WorkerHandlers, WorkerPool, type WorkerPort } from './workers.js'

/** More threads than this do not help: a node takes part in a handful of runs. */
const THREADS_DEFAULT_MAX = 4

/** Threads for training. */
export class TrainingPool extends WorkerPool {
  /** `threads` 0 leaves one core to the rest of the machine. */
  constructor(threads = 0) {
    const free = Math.max(1, availableParallelism() - 1)
    super(threads > 0 ? threads : Math.min(free, THREADS_DEFAULT_MAX), spawnThread)
  }
}

function spawnThread({ reply, end }: WorkerHandlers): WorkerPort {
  const thread = new Worker(new URL('./worker.js', import.meta.url), { name: 'training' })
  thread.unref()
  thread.on('message', reply)
  thread.on('error', (error) => end(error.message, error))
  thread.on('exit', (code) => end(`code ${code}`))
  let ending = false
  return {
    post: (request) => thread.postMessage(request),
    busy: (busy) => (busy || ending ? thread.ref() : thread.unref()),
    async terminate() {
      // Who waits for the end would wait for ever, should nothing else keep the program alive; an
      // answer that comes in between must not let go of it again.
      ending = true
      thread.ref()
      await thread.terminate()
    },
  }
}
