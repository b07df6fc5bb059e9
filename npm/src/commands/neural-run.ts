/** `neural run`: answers of a model for rows. */
import type { Context } from '../context.js'
import { ARTEFACT_BYTES_MAX, readBounded } from '../files.js'
import { columns } from '../output.js'
import { TrainingPool } from '../training/pool.js'
import { columnsOf, noteIgnored } from './column.js'

/** Options of `neural run`. */
export interface RunOptions {
  readonly model: string
  readonly data: string
  readonly label?: string
  readonly header?: boolean
}

/** Prints the answers. */
export async function run({ output }: Context, options: RunOptions): Promise<void> {
  const model = readBounded(options.model, ARTEFACT_BYTES_MAX)
  const pool = new TrainingPool(1)
  try {
    const answers = await pool.request('model', 'predict', {
      model,
      modelFile: options.model,
      source: { file: options.data },
      header: options.header,
      label: options.label === undefined ? undefined : columnsOf(options.label),
    })
    output.result(answers, () => {
      const { outputs, classes } = answers
      const lines = outputs.map((row, index) => {
        const name = classes[index]
        const best = Math.max(...row)
        const numbers = row.map((value) => value.toFixed(4))
        return name === undefined ? numbers : [name, best.toFixed(3)]
      })
      return columns(lines)
    })
    noteIgnored(output, answers.ignored)
  } finally {
    await pool.close()
  }
}
