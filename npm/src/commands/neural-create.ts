/** `neural create`: a new model file. */
import type { Context } from '../context.js'
import { SynapticError } from '../errors.js'
import { exists, writeAtomic } from '../files.js'
import { TrainingPool } from '../training/pool.js'
import { likelyTask, specificationOf } from '../training/specification.js'
import type { Activation, Task } from '../wasm.js'

/** Options of `neural create`. */
export interface CreateOptions {
  readonly layers: readonly number[]
  readonly output: string
  readonly activation: Activation
  readonly task?: Task
  readonly seed?: bigint
  /** Replace a file that is there. */
  readonly force?: boolean
}

/** Makes the model. */
export async function run({ output }: Context, options: CreateOptions): Promise<void> {
  const { layers, activation, seed = 1n } = options
  if (options.force !== true && exists(options.output)) {
    throw new SynapticError(
      'exists',
      `${options.output} exists already`,
      'choose another name, or add --force to replace it',
    )
  }
  const task = options.task ?? likelyTask(layers)
  const specification = specificationOf(layers, activation, task)
  const pool = new TrainingPool(1)
  try {
    const created = await pool.request('model', 'create', { specification, seed })
    writeAtomic(options.output, created.model)
    const { parameters, weightsCid } = created
    const next = `synaptic-mesh neural train --model ${options.output} --data rows.csv`
    output.result(
      { model: options.output, layers, task, parameters, weightsCid, specification },
      (paint) =>
        [
          `wrote ${options.output}: ${layers.join('-')}, ${parameters} parameters, ${task}`,
          `next: ${paint('cyan', next)}`,
        ].join('\n'),
    )
  } finally {
    await pool.close()
  }
}
