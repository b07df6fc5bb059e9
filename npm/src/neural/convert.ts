/**
 * The same network in another kind of file. A format is a row of the table: the ending of its
 * files, and what writes it. Files are told apart by their content when they are read.
 */
import { modelFile } from './fann/file.js'
import { layersOfFann } from './fann/layers.js'
import { FannModel } from './fann/model.js'
import { fannFileOf } from './fann/net.js'
import type { AnyNetwork, Engines } from './open.js'

/** A network in a file of some format. */
export interface Converted {
  readonly file: Uint8Array
  /** What the format cannot carry. */
  readonly lost: readonly string[]
}

type Write = (engines: Engines, network: AnyNetwork) => Promise<Converted>

/** What writes each format. */
const WRITERS = {
  /** Model files of this program; a network stays what it is. */
  json: async (_, network) => ({ file: network.toModel(), lost: [] }),
  /** Model files of this program; a network of FANN becomes one of layers. */
  layers: async (engines, network) => {
    if (!(network instanceof FannModel)) return { file: network.toModel(), lost: [] }
    const layers = layersOfFann(await engines.neural(), network.fann)
    try {
      return { file: withDescription(layers.toModel(), network), lost: [] }
    } finally {
      layers.free()
    }
  },
  /** FANN's own files. */
  fann: fannFileOf,
} satisfies Record<string, Write>

/** Name of a format. */
export type Format = keyof typeof WRITERS

/** Formats by the ending of their files. */
export const FORMATS: Readonly<Record<string, Format>> = {
  '.json': 'json',
  '.net': 'fann',
}

/**
 * A network in a file of another format.
 *
 * @throws SynapticError `no-counterpart`
 */
export function converted(
  engines: Engines,
  network: AnyNetwork,
  format: Format,
): Promise<Converted> {
  return WRITERS[format](engines, network)
}

/** A model file of layers that means what the network of FANN meant. */
function withDescription(file: Uint8Array, { description }: FannModel): Uint8Array {
  const model = JSON.parse(new TextDecoder().decode(file))
  const own = JSON.parse(new TextDecoder().decode(modelFile(new Uint8Array(), description, '')))
  const { task, classes, scaling, targetScaling } = own
  return new TextEncoder().encode(
    JSON.stringify({ ...model, task, classes, scaling, targetScaling }),
  )
}
