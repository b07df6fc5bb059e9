/** `neural eval`: how well a model does on labelled rows. */
import type { Context } from '../context.js'
import { ARTEFACT_BYTES_MAX, readBounded } from '../files.js'
import { given } from '../given.js'
import { columns, percent } from '../output.js'
import { TrainingPool } from '../training/pool.js'
import type { Assessment } from '../training/protocol.js'
import { columnsOf, noteIgnored } from './column.js'

/** Options of `neural eval`. */
export interface EvalOptions {
  readonly model: string
  readonly data: string
  readonly label?: string
  readonly header?: boolean
}

/** More classes than this do not fit a screen side by side. */
const MATRIX_CLASSES_MAX = 20
/** Of more classes, so many pairs that are mixed up are listed. */
const PAIRS_MAX = 10

/** Prints loss, accuracy and confusions. */
export async function run({ output }: Context, options: EvalOptions): Promise<void> {
  const { label, header } = options
  const model = readBounded(options.model, ARTEFACT_BYTES_MAX)
  const pool = new TrainingPool(1)
  try {
    const assessment = await pool.request('model', 'assess', {
      model,
      modelFile: options.model,
      source: { file: options.data },
      parse: given({ label: label === undefined ? undefined : columnsOf(label), header }),
    })
    output.result(assessment, () => textOf(assessment))
    noteIgnored(output, assessment.ignored)
  } finally {
    await pool.close()
  }
}

function textOf(assessment: Assessment): string {
  const { rows, loss, lossName, accuracy, meanAbsoluteError, classes, targetsScaled } = assessment
  const figures = [['rows', String(rows)]]
  if (accuracy !== null) figures.push(['accuracy', percent(accuracy)])
  if (meanAbsoluteError !== null) figures.push(['mean error', meanAbsoluteError.toPrecision(4)])
  // As in `neural train`: targets are scaled to a variance of 1.
  const unit = targetsScaled ? `${lossName}, targets scaled to variance 1` : lossName
  figures.push(['loss', `${loss.toFixed(4)} (${unit})`])
  if (classes.length === 0) return columns(figures)
  const confusion = classes.length > MATRIX_CLASSES_MAX ? pairs(assessment) : matrix(assessment)
  return [columns(figures), '', columns(confusion)].join('\n')
}

/** A row for each class, a column for each answer. */
function matrix({ classes, confusion }: Assessment): string[][] {
  const rows = confusion.map((counts, actual) => [classes[actual] ?? '', ...counts.map(String)])
  return [['is / told', ...classes], ...rows]
}

/** What is mixed up most often. */
function pairs({ classes, confusion }: Assessment): string[][] {
  const wrong = confusion.flatMap((counts, actual) =>
    counts.flatMap((count, told) =>
      count > 0 && told !== actual ? [{ actual, told, count }] : [],
    ),
  )
  wrong.sort((a, b) => b.count - a.count)
  const rows = wrong
    .slice(0, PAIRS_MAX)
    .map(({ actual, told, count }) => [classes[actual] ?? '', classes[told] ?? '', String(count)])
  return [['is', 'told', 'rows'], ...rows]
}
