/**
 * The node worker's end of the training worker: one job at a time, restarted after a trap.
 *
 * It keeps the bytes of the picked files (they never leave this tab) and parses them once per run:
 * class names and scaling belong to the run, not to the file.
 */
import { type Attack, sentDelta, taughtClasses } from '../../npm/src/attack.ts'
import type { RunView, TrainEvent, TrainedUpdate } from '../../wasm/mesh.js'
import { Failure, toProblem } from './problem.ts'
import { connect, type Remote } from './rpc.ts'
import type { Answer, Slot } from './store.ts'
import type { Progress, Schema, Score, TrainerApi } from './trainer.ts'

const SLOTS: readonly Slot[] = ['rows', 'test']

/** Training alone is repeatable: everybody who presses the button gets the same network. */
const ALONE_SEED = 1n

interface Running {
  readonly worker: Worker
  readonly remote: Remote<TrainerApi>
  /** What each slot holds in the worker: the run it was parsed for. */
  readonly loaded: Record<Slot, { run: string; rows: number } | null>
}

/** The picked rows and the worker that computes on them. */
export class Training {
  readonly #files: Record<Slot, Uint8Array | null> = { rows: null, test: null }
  #running: Running | null = null
  #turn: Promise<unknown> = Promise.resolve()
  #onProgress: (progress: Progress) => void = () => {}
  #attack: Attack | undefined

  hold(slot: Slot, bytes: Uint8Array): Promise<void> {
    return this.#set(slot, bytes)
  }

  drop(slot: Slot): Promise<void> {
    return this.#set(slot, null)
  }

  holds(slot: Slot): boolean {
    return this.#files[slot] !== null
  }

  /** From now on its updates lie, or are honest again. */
  lie(attack: Attack | undefined): Promise<void> {
    return this.#inTurn(async (running) => {
      this.#attack = attack
      // The rows to learn from may have other labels now.
      running.loaded.rows = null
      await running.remote.unload('rows')
    })
  }

  /** Parses the files for this run. Returns the number of rows to learn from, 0 without a file. */
  prepare(schema: Schema): Promise<number> {
    return this.#inTurn(async (running) => {
      await this.#load(running, schema)
      return running.loaded.rows?.rows ?? 0
    })
  }

  update(schema: Schema, job: TrainEvent): Promise<TrainedUpdate> {
    return this.#inTurn(async (running) => {
      await this.#load(running, schema)
      const update = await running.remote.update(job)
      return { ...update, delta: sentDelta(this.#attack, update.delta) }
    })
  }

  /** Trains on the picked rows only, with the run's own settings. */
  alone(view: RunView, epochs: number, onProgress: (progress: Progress) => void): Promise<Score> {
    const { batch, learningRate, momentum } = view
    return this.#inTurn(async (running) => {
      await this.#load(running, view)
      this.#onProgress = onProgress
      return running.remote.alone(schemaOf(view), {
        epochs,
        batch,
        learningRate,
        momentum,
        seed: ALONE_SEED,
      })
    })
  }

  evaluate(schema: Schema & { weights: Uint8Array }): Promise<Score | null> {
    if (this.#files.rows === null && this.#files.test === null) return Promise.resolve(null)
    return this.#inTurn(async (running) => {
      await this.#load(running, schema)
      return running.remote.evaluate(schemaOf(schema), schema.weights)
    })
  }

  answer(schema: Schema & { weights: Uint8Array }, text: string): Promise<Answer[]> {
    return this.#inTurn((running) => running.remote.answer(schemaOf(schema), schema.weights, text))
  }

  #set(slot: Slot, bytes: Uint8Array | null): Promise<void> {
    return this.#inTurn(async (running) => {
      this.#files[slot] = bytes
      running.loaded[slot] = null
      await running.remote.unload(slot)
    })
  }

  async #load(running: Running, schema: Schema): Promise<void> {
    for (const slot of SLOTS) {
      const bytes = this.#files[slot]
      if (bytes === null || running.loaded[slot]?.run === schema.run) continue
      running.loaded[slot] = null
      try {
        const attack = slot === 'rows' ? this.#attack : undefined
        const classes = taughtClasses(attack, schema.classes)
        const rows = await running.remote.load(slot, bytes, schemaOf({ ...schema, classes }))
        running.loaded[slot] = { run: schema.run, rows }
      } catch (error) {
        // A file that does not fit is not kept: the next pick starts clean.
        this.#files[slot] = null
        throw error
      }
    }
  }

  /** Runs `work` when everything before it is done: loading and using rows must not interleave. */
  #inTurn<T>(work: (running: Running) => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      try {
        this.#running ??= this.#spawn()
        return await work(this.#running)
      } catch (error) {
        if (toProblem(error).code === 'training-stopped') this.#end()
        throw error
      }
    })
    this.#turn = result.catch(() => {})
    return result
  }

  #spawn(): Running {
    const worker = new Worker(new URL('./trainer.ts', import.meta.url), { type: 'module' })
    const { remote, fail } = connect<TrainerApi, Progress>(worker, (progress) =>
      this.#onProgress(progress),
    )
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      fail(toProblem(stopped(event.message)))
    })
    return { worker, remote, loaded: { rows: null, test: null } }
  }

  #end(): void {
    this.#running?.worker.terminate()
    this.#running = null
  }
}

/** Only what the training worker needs crosses to it. */
function schemaOf({ run, specification, classes, scaling }: Schema): Schema {
  return { run, specification, classes, scaling }
}

function stopped(why: string): Failure {
  return new Failure(
    'training-stopped',
    `The training worker stopped${why === '' ? '' : `: ${why}`}.`,
    'It is started again with the next step; reload the tab if this repeats.',
  )
}
