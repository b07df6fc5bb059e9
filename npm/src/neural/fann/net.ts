/**
 * Networks of FANN out of files, and files and layers of them: FANN's own file of a network of
 * either engine, and the network of layers that one of FANN is.
 */
import { toSynapticError } from '../../errors.js'
import type { Fann, FannModule, Network, NeuralModule } from '../../wasm.js'
import type { AnyNetwork, Engines } from '../engines.js'
import {
  checkDescription,
  type Description,
  describe,
  descriptionIn,
  type FannFile,
  plainDescription,
  unusable,
} from './file.js'
import { fannOfLayers, layersOfFann } from './layers.js'
import { FannModel } from './model.js'

/** A network in a file of some form. */
export interface Converted {
  readonly file: Uint8Array
  /** What the form cannot carry. */
  readonly lost: readonly string[]
}

/** The functions that libfann 2.2.0 does not have; its development version does. */
const NEWER = ['linear-piece-rect', 'linear-piece-rect-leaky']

/**
 * The network of FANN's own file.
 *
 * @throws SynapticError `file-*`
 */
export async function readFannFile(engines: Engines, bytes: Uint8Array): Promise<FannModel> {
  const [neural, fann] = [await engines.neural(), readFann(await engines.fann(), bytes)]
  return owning(fann, () => new FannModel(neural, fann, descriptionIn(fann)))
}

/**
 * The network of a model file with a network of FANN in it.
 *
 * @throws SynapticError `model-damaged`, `file-*`
 */
export async function readFannModel(engines: Engines, file: FannFile): Promise<FannModel> {
  const neural = await engines.neural()
  const fann = readFann(await engines.fann(), new TextEncoder().encode(file.text))
  return owning(fann, () => {
    checkDescription(file, fann)
    const { task, classes, scaling, target, columns } = file
    const model = new FannModel(neural, fann, { task, classes, scaling, target, columns })
    if (model.weightsCid() !== file.weightsCid) throw unusable('weightsCid')
    return model
  })
}

/**
 * Writes a network as FANN does.
 *
 * @throws SynapticError `no-counterpart`
 */
export async function fannFileOf(engines: Engines, network: AnyNetwork): Promise<Converted> {
  if (network instanceof FannModel) {
    // A copy, so that the network keeps the scaling it came with.
    return finished(network.clone())
  }
  const fann = fannOfLayers(await engines.fann(), network)
  const converted = finished(new FannModel(await engines.neural(), fann, descriptionOf(network)))
  const { loss } = network.specification
  return loss === 'mse'
    ? converted
    : { ...converted, lost: [...converted.lost, `its loss ${loss}`] }
}

/**
 * The network of layers that computes what a network of FANN does, and means the same.
 *
 * @throws SynapticError `no-counterpart`
 */
export function asLayers(neural: NeuralModule, { fann, description }: FannModel): Network {
  const layers = layersOfFann(neural, fann)
  try {
    const file = JSON.parse(new TextDecoder().decode(layers.toModel()))
    const text = JSON.stringify({ ...file, ...plainDescription(description) })
    return neural.Network.fromModel(new TextEncoder().encode(text))
  } finally {
    layers.free()
  }
}

/** What the file of a network of layers says of it. */
export function descriptionOf(network: Network): Description {
  const {
    task,
    classes,
    scaling,
    targetScaling,
    columns = [],
  } = JSON.parse(new TextDecoder().decode(network.toModel()))
  return {
    task: task ?? undefined,
    classes,
    scaling: scaling ?? undefined,
    target: targetScaling ?? undefined,
    columns,
  }
}

/** The file of a network, which is freed. */
function finished(model: FannModel): Converted {
  try {
    const lost = describe(model.fann, model.description)
    const names = model.info.activations.flat().map(({ activation }) => activation)
    const newer = [...new Set(names)].filter((name) => NEWER.includes(name))
    const unknown = newer.map(
      (name) => `${name}, which libfann 2.2 does not know and newer ones do`,
    )
    return { file: model.fann.toFile(), lost: [...lost, ...unknown] }
  } finally {
    model.free()
  }
}

function readFann(module: FannModule, bytes: Uint8Array): Fann {
  try {
    return module.Fann.fromFile(bytes)
  } catch (thrown) {
    throw toSynapticError(thrown)
  }
}

/** What `make` makes of a network, which is given back if it fails. */
function owning<T>(fann: Fann, make: () => T): T {
  try {
    return make()
  } catch (thrown) {
    fann.free()
    throw thrown
  }
}
