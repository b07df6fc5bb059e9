/**
 * The forms of file that a model can be read from and written to; files are told apart by their
 * extensions, bytes without a name by how they begin.
 */
import { SynapticError, usageError } from '../errors.js'
import type { Network, NeuralModule } from '../wasm.js'
import { readJson, writeJson } from './json.js'
import { writeOnnx } from './onnx.js'
import { looksLikeSafetensors } from './safetensors.js'
import { readSafetensors, writeSafetensors } from './safetensors-model.js'
import type { Dtype } from './storage.js'

/** What a form of file can do. */
interface Format {
  /** The network of a file. */
  read?(neural: NeuralModule, file: Uint8Array): Network
  /** The file of a network. */
  write?(neural: NeuralModule, network: Network, dtype: Dtype): Uint8Array
  /** How it can keep parameters. */
  readonly dtypes: readonly Dtype[]
}

const COMPACT: readonly Dtype[] = ['f32', 'f16', 'int8']

/** Every form by its name, which is also the extension of its files. */
const FORMATS = {
  json: { read: readJson, write: writeJson, dtypes: COMPACT },
  safetensors: { read: readSafetensors, write: writeSafetensors, dtypes: COMPACT },
  onnx: { write: (_, network) => writeOnnx(network), dtypes: ['f32'] },
} as const satisfies Readonly<Record<string, Format>>

/** Name of a form of file. */
export type FormatName = keyof typeof FORMATS

/** The names in the order of the table. */
export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[]

/** The form that a file's extension names; undefined for any other extension. */
export function namedFormat(file: string): FormatName | undefined {
  const extension = /\.([^./\\]+)$/.exec(file)?.[1]?.toLowerCase()
  return FORMAT_NAMES.find((name) => name === extension)
}

/** The form of a file where models are asked for: the project's own unless its name says else. */
export function formatOf(file: string): FormatName {
  return namedFormat(file) ?? 'json'
}

/** The form of bytes that have no name. */
export function formatOfBytes(bytes: Uint8Array): FormatName {
  return looksLikeSafetensors(bytes) ? 'safetensors' : 'json'
}

/** Whether files of this form can be read. */
export function isRead(format: FormatName): boolean {
  return 'read' in FORMATS[format]
}

/**
 * The network of a file.
 *
 * @throws SynapticError `model-*` and others of the core; `format-not-read`
 */
export function readModel(neural: NeuralModule, file: Uint8Array, format: FormatName): Network {
  const { read }: Format = FORMATS[format]
  if (read !== undefined) return read(neural, file)
  const message = `.${format} files are written for other programs, and not read`
  throw new SynapticError('format-not-read', message, 'keep the model as .json or .safetensors too')
}

/**
 * The file of a network.
 *
 * @throws SynapticError `usage`, `weights-too-large`
 */
export function writeModel(
  neural: NeuralModule,
  network: Network,
  format: FormatName,
  dtype: Dtype = 'f32',
): Uint8Array {
  const known: Format | undefined = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  if (known?.write === undefined) {
    throw usageError(`there is no format "${format}"`, `use ${FORMAT_NAMES.join(', ')}`)
  }
  if (!known.dtypes.includes(dtype)) {
    throw usageError(`${format} has no dtype "${dtype}"`, `use ${known.dtypes.join(', ')}`)
  }
  return known.write(neural, network, dtype)
}
