/**
 * The forms of file that a model can be read from and written to; files are told apart by their
 * extensions, bytes without a name by how they begin.
 */
import { SynapticError, usageError } from '../errors.js'
import type { AnyNetwork, Engines } from '../neural/engines.js'
import { isFannFile, readModelFile } from '../neural/fann/file.js'
import { FannModel } from '../neural/fann/model.js'
import {
  asLayers,
  type Converted,
  fannFileOf,
  readFannFile,
  readFannModel,
} from '../neural/fann/net.js'
import type { Network, NeuralModule } from '../wasm.js'
import { readJson, writeJson } from './json.js'
import { writeOnnx } from './onnx.js'
import { looksLikeSafetensors } from './safetensors.js'
import { readSafetensors, writeSafetensors } from './safetensors-model.js'
import type { Dtype } from './storage.js'

export type { Converted }

/** What a form of file can do. */
interface Format {
  /** The network of a file. */
  read?(engines: Engines, file: Uint8Array): Promise<AnyNetwork>
  /** The file of a network. */
  write?: Write
  /** The file of a network, where that takes the engine of FANN. */
  convert?(engines: Engines, network: AnyNetwork): Promise<Converted>
  /** How it can keep parameters. */
  readonly dtypes: readonly Dtype[]
}

type Write = (neural: NeuralModule, network: AnyNetwork, dtype: Dtype) => Uint8Array

const COMPACT: readonly Dtype[] = ['f32', 'f16', 'int8']

/** Every form by its name, which is also the extension of its files. */
const FORMATS = {
  json: { read: openJson, write: saveJson, dtypes: COMPACT },
  safetensors: {
    read: async (engines, file) => readSafetensors(await engines.neural(), file),
    write: ofLayers(writeSafetensors),
    dtypes: COMPACT,
  },
  onnx: { write: ofLayers((_, network) => writeOnnx(network)), dtypes: ['f32'] },
  net: { read: readFannFile, convert: fannFileOf, dtypes: ['f32'] },
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
  if (isFannFile(bytes)) return 'net'
  return looksLikeSafetensors(bytes) ? 'safetensors' : 'json'
}

/** Whether files of this form can be read. */
export function isRead(format: FormatName): boolean {
  return 'read' in FORMATS[format]
}

/** Whether files of this form hold all that a model is, so that it can be trained in them. */
export function isWhole(format: FormatName): boolean {
  const { read, write }: Format = FORMATS[format]
  return read !== undefined && write !== undefined
}

/**
 * The network of a file.
 *
 * @throws SynapticError `model-*`, `file-*` and others of the core; `format-not-read`
 */
export async function readModel(
  engines: Engines,
  file: Uint8Array,
  format: FormatName,
): Promise<AnyNetwork> {
  const { read }: Format = FORMATS[format]
  if (read !== undefined) return read(engines, file)
  const message = `.${format} files are written for other programs, and not read`
  throw new SynapticError('format-not-read', message, 'keep the model as .json or .safetensors too')
}

/**
 * The file of a network, in a form that takes no other engine than its own.
 *
 * @throws SynapticError `usage`, `weights-too-large`, `no-counterpart`
 */
export function writeModel(
  neural: NeuralModule,
  network: AnyNetwork,
  format: FormatName,
  dtype: Dtype = 'f32',
): Uint8Array {
  const { write } = checked(format, dtype)
  if (write !== undefined) return write(neural, network, dtype)
  throw usageError(`a .${format} file does not hold all of a model`, 'convert the model instead')
}

/**
 * The file of a network in any form, and what that cannot carry.
 *
 * @throws SynapticError `usage`, `weights-too-large`, `no-counterpart`
 */
export async function converted(
  engines: Engines,
  network: AnyNetwork,
  format: FormatName,
  dtype: Dtype = 'f32',
): Promise<Converted> {
  const { convert } = checked(format, dtype)
  if (convert !== undefined) return convert(engines, network)
  const file = writeModel(await engines.neural(), network, format, dtype)
  const turned = network instanceof FannModel && format !== 'json'
  return { file, lost: turned ? ['that it was one of FANN: it is of layers there'] : [] }
}

function checked(format: FormatName, dtype: Dtype): Format {
  const known: Format | undefined = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  if (known === undefined) {
    throw usageError(`there is no format "${format}"`, `use ${FORMAT_NAMES.join(', ')}`)
  }
  if (known.dtypes.includes(dtype)) return known
  throw usageError(`${format} has no dtype "${dtype}"`, `use ${known.dtypes.join(', ')}`)
}

/** A model file, which may hold a network of FANN. */
async function openJson(engines: Engines, file: Uint8Array): Promise<AnyNetwork> {
  const ofFann = readModelFile(file)
  return ofFann === undefined
    ? readJson(await engines.neural(), file)
    : readFannModel(engines, ofFann)
}

function saveJson(neural: NeuralModule, network: AnyNetwork, dtype: Dtype): Uint8Array {
  if (!(network instanceof FannModel)) return writeJson(neural, network, dtype)
  if (dtype === 'f32') return network.toModel()
  throw usageError(`a network of FANN has no dtype "${dtype}"`, 'make layers of it: --layers')
}

/** Writes networks of layers, and those of FANN as the layers that compute the same. */
function ofLayers(
  write: (neural: NeuralModule, network: Network, dtype: Dtype) => Uint8Array,
): Write {
  return (neural, network, dtype) => {
    if (!(network instanceof FannModel)) return write(neural, network, dtype)
    const layers = asLayers(neural, network)
    try {
      return write(neural, layers, dtype)
    } finally {
      layers.free()
    }
  }
}
