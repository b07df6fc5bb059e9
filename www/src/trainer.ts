/**
 * The training worker: the picked rows, parsed, and all arithmetic on them.
 *
 * It is a worker of its own so that the node keeps answering peers while an epoch runs. It loads the
 * small `neural` artifact, knows no network and has no socket: the rows come in and only updates,
 * figures and answers go out. One data set per slot is held, parsed for one run.
 */
import type { RunView, TrainEvent } from '../../wasm/mesh.js'
import type { Dataset, Evaluation, TrainedUpdate, UpdateOptions } from '../../wasm/neural.js'
import { Failure } from './problem.ts'
import { type Port, serve } from './rpc.ts'
import type { Answer, Measured, Slot } from './store.ts'
import { loadNeural, type NeuralModule } from './wasm.ts'

/** Rows the "try it" panel answers at once: more than fits on a screen. */
const TRY_ROWS_MAX = 200

/** What of a run decides how rows are read and which network is built. */
export type Schema = Pick<RunView, 'run' | 'specification' | 'classes' | 'scaling'>

/** A measured accuracy; null where the task is not classification. */
export interface Score {
  readonly accuracy: number | null
  /** Mean loss of a row. */
  readonly loss: number
  readonly measured: Measured
}

/** What the training worker tells while it works. */
export type Progress = { readonly epoch: number; readonly epochs: number }

export type TrainerApi = typeof api

const held: Record<Slot, Dataset | null> = { rows: null, test: null }
let artifact: Promise<NeuralModule> | null = null

const api = {
  /** Parses `csv` as the run reads it. Returns the number of rows. */
  async load(slot: Slot, csv: Uint8Array, schema: Schema): Promise<number> {
    const neural = await load()
    unload(slot)
    const classes = schema.classes.length === 0 ? {} : { classes: schema.classes }
    const task = schema.classes.length === 0 ? 'regression' : 'classification'
    const parsed = guarded(() => neural.Dataset.parse(csv, { ...classes, task }))
    try {
      const features = schema.scaling.offset.length
      if (parsed.features !== features) throw misfit(parsed.features, features)
      held[slot] = guarded(() => parsed.standardise(schema.scaling))
      return held[slot].rows
    } finally {
      parsed.free()
    }
  },

  unload,

  /** One member's local epochs of one round. */
  async update(job: TrainEvent): Promise<TrainedUpdate> {
    const neural = await load()
    const { epochs, batch, learningRate, momentum, seed } = job
    const options = { epochs, batch, learningRate, momentum, seed }
    return guarded(() => neural.trainUpdate(job.specification, job.baseWeights, rows(), options))
  },

  /** Trains a fresh network of the run's architecture on the picked rows and nothing else. */
  async alone(schema: Schema, options: UpdateOptions): Promise<Score> {
    const neural = await load()
    const network = guarded(() => neural.Network.create(schema.specification, options.seed))
    try {
      const data = rows()
      const { epochs, ...once } = options
      for (let epoch = 1; epoch <= epochs; epoch += 1) {
        guarded(() => network.trainEpoch(data, { ...once, optimiser: 'sgd' }))
        report({ epoch, epochs })
      }
      return score((measured) => guarded(() => network.evaluate(measured)))
    } finally {
      network.free()
    }
  },

  /** How well `weights` do on the held-out rows, else on the picked ones; null without rows. */
  async evaluate(schema: Schema, weights: Uint8Array): Promise<Score | null> {
    if (held.test === null && held.rows === null) return null
    const network = await restore(schema, weights)
    try {
      return score((measured) => guarded(() => network.evaluate(measured)))
    } finally {
      network.free()
    }
  },

  /** Runs `weights` on pasted rows. */
  async answer(schema: Schema, weights: Uint8Array, text: string): Promise<Answer[]> {
    const neural = await load()
    const csv = new TextEncoder().encode(text)
    const features = schema.scaling.offset.length
    const { inputs } = guarded(() => neural.Dataset.parseRows(csv, features))
    const count = inputs.length / features
    if (count > TRY_ROWS_MAX) throw tooMany(count)
    const network = await restore(schema, weights)
    try {
      const outputs = guarded(() => network.runBatch(inputs, count))
      const width = outputs.length / count
      return Array.from({ length: count }, (_, row) =>
        answerOf(outputs.subarray(row * width, (row + 1) * width), schema.classes),
      )
    } finally {
      network.free()
    }
  },
}

const report = serve<typeof api, Progress>(globalThis as unknown as Port, api)

function load(): Promise<NeuralModule> {
  artifact ??= loadNeural().catch((error: unknown) => {
    // The next call may find the serving node back.
    artifact = null
    throw error
  })
  return artifact
}

function unload(slot: Slot): void {
  held[slot]?.free()
  held[slot] = null
}

function rows(): Dataset {
  if (held.rows !== null) return held.rows
  throw new Failure(
    'no-rows',
    'There are no rows to learn from.',
    'Pick a CSV with your rows first.',
  )
}

function score(evaluate: (data: Dataset) => Evaluation): Score {
  const on: Slot = held.test === null ? 'rows' : 'test'
  const data = held.test ?? rows()
  const { accuracy, loss } = evaluate(data)
  return { accuracy, loss, measured: { on, rows: data.rows } }
}

async function restore(schema: Schema, weights: Uint8Array) {
  const neural = await load()
  return guarded(() => {
    const network = neural.Network.create(schema.specification, 0n)
    // Copied: the bytes may start off a 4-byte boundary. Both sides are little-endian.
    network.setWeights(new Float32Array(weights.slice().buffer))
    network.describe({ scaling: schema.scaling, classes: schema.classes })
    return network
  })
}

function answerOf(outputs: Float32Array, classes: readonly string[]): Answer {
  if (classes.length === 0) {
    return {
      label: Array.from(outputs, (value) => value.toPrecision(5)).join(', '),
      confidence: null,
    }
  }
  const confidence = Math.max(...outputs)
  const index = outputs.indexOf(confidence)
  return { label: classes[index] ?? `output ${index}`, confidence }
}

function tooMany(rows: number): Failure {
  return new Failure(
    'rows-too-many',
    `These are ${rows} rows; this panel takes ${TRY_ROWS_MAX} at once.`,
    'Paste fewer, or use `npx synaptic-mesh neural run` for whole files.',
  )
}

function misfit(found: number, features: number): Failure {
  return new Failure(
    'rows-misfit',
    `This file has ${found} feature columns; the run was started with ${features}.`,
    'Pick a CSV with the columns of the run, in its order, and the label last.',
  )
}

/** A trap leaves the wasm instance unusable: say so once, and let the owner start a new worker. */
function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof WebAssembly.RuntimeError)) throw cause
    throw new Failure(
      'training-stopped',
      'The training worker hit an internal error and was stopped.',
      'It is started again with the next step; if this repeats, pick a smaller file.',
      cause,
    )
  }
}
