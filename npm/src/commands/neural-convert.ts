/** `neural convert`: the same model in another form of file. */
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { ARTEFACT_BYTES_MAX, checkAbsent, readBounded, writeAtomic } from '../files.js'
import { FORMAT_NAMES, type FormatName, isWhole, namedFormat } from '../formats/formats.js'
import type { Dtype } from '../formats/storage.js'
import { given } from '../given.js'
import { bytesText, columns, percent } from '../output.js'
import { TrainingPool } from '../training/pool.js'
import type { Conversion, Score } from '../training/protocol.js'
import { columnsOf } from './column.js'

/** Options of `neural convert`. */
export interface ConvertOptions {
  readonly dtype: Dtype
  /** Make layers of a network of FANN. */
  readonly layers?: boolean
  readonly data?: string
  readonly label?: string
  readonly header?: boolean
  /** Replace a file that is there. */
  readonly force?: boolean
}

/** Converts the model. */
export async function run(
  { output }: Context,
  options: ConvertOptions,
  from = '',
  to = '',
): Promise<void> {
  const { dtype, layers = false, data, label, header } = options
  formatOf(from)
  const format = formatOf(to)
  if (data !== undefined && !isWhole(format)) {
    const message = `--data runs the file that was written; a .${format} file is not a whole model`
    throw usageError(message, 'leave it out')
  }
  if (layers && format === 'net') {
    throw usageError('--layers is not for FANN files', 'write a .json file, or leave it out')
  }
  if (options.force !== true) checkAbsent(to)
  const model = readBounded(from, ARTEFACT_BYTES_MAX)
  const pool = new TrainingPool(1)
  try {
    const converted = await pool.request('model', 'convert', {
      ...{ model, modelFile: from, format, dtype, layers },
      source: data === undefined ? undefined : { file: data },
      parse: given({ label: label === undefined ? undefined : columnsOf(label), header }),
    })
    const { model: file, ...facts } = converted
    writeAtomic(to, file)
    const sizes = { bytesBefore: model.length, bytes: file.length }
    output.result({ model: to, format, dtype, ...facts, ...sizes }, () =>
      textOf(converted, `${to}: ${format}, ${dtype}`, sizes),
    )
    if (converted.otherTargets && converted.before !== null) {
      output.note(
        'these losses are of targets 0 and 1; those that neural eval shows of the network of FANN ' +
          'are of -1 and 1, which its outputs are, and cannot be compared with them',
      )
    }
    for (const what of converted.lost) output.warn(`${to} does not carry ${what}`)
  } finally {
    await pool.close()
  }
}

/** The form that an extension names; a guess could put a model where nobody finds it. */
function formatOf(file: string): FormatName {
  const format = namedFormat(file)
  if (format !== undefined) return format
  const known = FORMAT_NAMES.map((name) => `.${name}`).join(', ')
  throw usageError(`${file} has an extension that is no form of model`, `use ${known}`)
}

function textOf(
  { parameters, largestError, before, after }: Conversion,
  what: string,
  { bytesBefore, bytes }: { readonly bytesBefore: number; readonly bytes: number },
): string {
  const figures = [['parameters', String(parameters)]]
  figures.push(['file', `${bytesText(bytesBefore)} to ${bytesText(bytes)}`])
  if (largestError !== null)
    figures.push(['largest error of a weight', largestError.toPrecision(3)])
  if (before !== null && after !== null) {
    figures.push(['rows', String(before.rows)])
    if (before.accuracy !== null && after.accuracy !== null) {
      figures.push(['accuracy', `${percent(before.accuracy)} to ${percent(after.accuracy)}`])
    }
    figures.push(['loss', `${lossText(before)} to ${lossText(after)}`])
  }
  return [`wrote ${what}`, columns(figures)].join('\n')
}

function lossText({ loss }: Score): string {
  return loss.toPrecision(4)
}
