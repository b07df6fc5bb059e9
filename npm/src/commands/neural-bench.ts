/** `neural bench`: how long a model takes on this machine. */
import type { Context } from '../context.js'
import { ARTEFACT_BYTES_MAX, readBounded } from '../files.js'
import { given } from '../given.js'
import { columns } from '../output.js'
import { TrainingPool } from '../training/pool.js'
import type { Bench, Timing } from '../training/protocol.js'
import type { Task } from '../wasm.js'
import { columnsOf } from './column.js'

/** Options of `neural bench`. */
export interface BenchOptions {
  readonly model: string
  readonly batch?: readonly number[]
  readonly data?: string
  readonly label?: string
  readonly task?: Task
  readonly header?: boolean
}

/** One row as a program asks for it, a step of training, and enough to fill the kernels. */
const BATCHES = [1, 32, 256]

/** Measures and prints; the model file stays as it is. */
export async function run({ output }: Context, options: BenchOptions): Promise<void> {
  const { data, label, task, header, batch = BATCHES } = options
  const model = readBounded(options.model, ARTEFACT_BYTES_MAX)
  const pool = new TrainingPool(1)
  try {
    const bench = await pool.request('model', 'bench', {
      model,
      modelFile: options.model,
      batches: batch,
      source: data === undefined ? undefined : { file: data },
      parse: given({ label: label === undefined ? undefined : columnsOf(label), task, header }),
    })
    output.result({ model: options.model, ...bench }, () => textOf(bench))
  } finally {
    await pool.close()
  }
}

function textOf({ parameters, run, epoch }: Bench): string {
  const figures = ({ medianUs, p10Us, p90Us, samples }: Timing): string[] => {
    return [...[medianUs, p10Us, p90Us].map((us) => us.toPrecision(4)), String(samples)]
  }
  const rows = run.map((one) => [
    one.batch === 1 ? 'run' : 'runBatch',
    String(one.batch),
    ...figures(one),
    Math.round(one.networksPerSecond).toString(),
  ])
  const head = ['', 'rows', 'median µs', 'p10 µs', 'p90 µs', 'samples', 'networks/s']
  if (epoch !== null) {
    const perSecond = Math.round(epoch.rowsPerSecond).toString()
    rows.push(['epoch', String(epoch.rows), ...figures(epoch), perSecond])
  }
  return [columns([head, ...rows]), '', `${parameters} parameters, measured here and now`].join(
    '\n',
  )
}
