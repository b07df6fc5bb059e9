/** `neural train`: trains a model file on rows, in a thread of its own. */
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { ARTEFACT_BYTES_MAX, readBounded, writeAtomic } from '../files.js'
import { columns, percent } from '../output.js'
import { Progress } from '../progress.js'
import { scalingOf } from '../run-options.js'
import { TrainingPool } from '../training/pool.js'
import type { FitResult } from '../training/protocol.js'
import type { ParseOptions, Task } from '../wasm.js'
import { columnOf } from './column.js'

/** Options of `neural train`. */
export interface TrainOptions {
  readonly model: string
  readonly data: string
  readonly output?: string
  readonly label?: string
  readonly task?: Task
  readonly classes?: readonly string[]
  readonly header?: boolean
  readonly testSplit?: number
  readonly test?: string
  readonly range?: readonly [number, number]
  readonly epochs: number
  readonly batch?: number
  readonly lr?: number
  readonly momentum?: number
  readonly optimizer: 'adam' | 'sgd'
  readonly seed?: bigint
}

/** Learning rates that train without further thought. */
const RATE_DEFAULT = { adam: 2e-3, sgd: 0.1 } as const

/** It ends in order when it is interrupted. */
export const endsItself = true

/** Trains and writes the model. */
export async function run({ output, signal }: Context, options: TrainOptions): Promise<void> {
  if (options.momentum !== undefined && options.optimizer === 'adam') {
    throw usageError('--momentum is for sgd, not for adam', 'add --optimizer sgd')
  }
  const model = readBounded(options.model, ARTEFACT_BYTES_MAX)
  const target = options.output ?? options.model
  const progress = new Progress(output.stderr, 'training', options.epochs, output.talkative)
  const pool = new TrainingPool(1)
  try {
    const result = await pool.request('model', 'fit', requestOf(model, options), {
      signal,
      onProgress: ({ epoch, loss }) => progress.update(epoch, `loss ${loss.toFixed(4)}`),
    })
    signal.throwIfAborted()
    writeAtomic(target, result.model)
    progress.end()
    const { model: _, ...data } = result
    output.result({ ...data, output: target }, () => resultText(result, target))
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown
  } finally {
    progress.end()
    await pool.close()
  }
}

function requestOf(model: Uint8Array, options: TrainOptions) {
  const { epochs, batch, momentum = 0, optimizer, seed = 1n } = options
  return {
    model,
    modelFile: options.model,
    source: { file: options.data },
    test: options.test === undefined ? undefined : { file: options.test },
    testSplit: options.testSplit ?? 0,
    parse: parseOf(options),
    scaling: scalingOf(options.range),
    epochs,
    batch,
    learningRate: options.lr ?? RATE_DEFAULT[optimizer],
    momentum,
    optimiser: optimizer,
    seed,
  }
}

function parseOf({ label, task, classes, header }: TrainOptions): ParseOptions {
  return {
    ...(label === undefined ? {} : { label: columnOf(label) }),
    ...(task === undefined ? {} : { task }),
    ...(classes === undefined ? {} : { classes }),
    ...(header === undefined ? {} : { header }),
  }
}

function resultText(result: FitResult, target: string): string {
  const { trainAccuracy, testAccuracy, loss, testLoss, epochs, weightsCid, rows } = result
  const score = (accuracy: number | null): string => (accuracy === null ? '' : percent(accuracy))
  // Numbers have no accuracy, and their loss is in units of the variance of the targets.
  const table =
    result.task === 'regression'
      ? [['', 'rows', 'loss / variance']]
      : [['', 'rows', 'accuracy', 'loss']]
  const add = (name: string, count: number, accuracy: number | null, lossOf: number): void => {
    const scores = result.task === 'regression' ? [] : [score(accuracy)]
    table.push([name, String(count), ...scores, lossOf.toFixed(4)])
  }
  add('train', rows.train, trainAccuracy, loss)
  if (testLoss !== null) add('test', rows.test, testAccuracy, testLoss)
  return [columns(table), `wrote ${target} after ${epochs} epochs`, `weights ${weightsCid}`].join(
    '\n',
  )
}
