/** `neural convert`: the same network in another kind of file, told by the ending of its name. */
import { extname } from 'node:path'
import type { Context } from '../context.js'
import { SynapticError, usageError } from '../errors.js'
import { ARTEFACT_BYTES_MAX, exists, readBounded, writeAtomic } from '../files.js'
import { FORMATS, type Format } from '../neural/convert.js'
import { TrainingPool } from '../training/pool.js'

/** Options of `neural convert`. */
export interface ConvertOptions {
  /** Make layers of a network of FANN. */
  readonly layers?: boolean
  /** Replace a file that is there. */
  readonly force?: boolean
}

/** Writes the file. */
export async function run(
  { output }: Context,
  options: ConvertOptions,
  from: string,
  to: string,
): Promise<void> {
  const format = formatOf(to, options)
  if (options.force !== true && exists(to)) {
    throw new SynapticError(
      'exists',
      `${to} exists already`,
      'choose another name, or add --force to replace it',
    )
  }
  const model = readBounded(from, ARTEFACT_BYTES_MAX)
  const pool = new TrainingPool(1)
  try {
    const { file, lost } = await pool.request('model', 'convert', {
      model,
      modelFile: from,
      format,
    })
    writeAtomic(to, file)
    output.result({ from, to, bytes: file.length, lost }, () => `wrote ${to}`)
    for (const what of lost) output.warn(`${to} does not carry ${what}`)
  } finally {
    await pool.close()
  }
}

function formatOf(to: string, { layers }: ConvertOptions): Format {
  const format = FORMATS[extname(to).toLowerCase()]
  if (format === undefined) {
    const known = Object.keys(FORMATS).join(', ')
    throw usageError(`${to}: the format is told by the ending of the name`, `use ${known}`)
  }
  if (layers !== true) return format
  if (format === 'json') return 'layers'
  throw usageError('--layers is for model files', 'give a name that ends in .json, or leave it out')
}
