/**
 * Networks of both engines under one type: opened from whatever file they are in, and what all of
 * them have.
 */
import { toSynapticError } from '../errors.js'
import { countOf } from '../training/shapes.js'
import { isOfProbabilities, outputOf } from '../training/specification.js'
import type { Fann, FannModule, Loss, Network, NeuralModule } from '../wasm.js'
import { checkDescription, damaged, descriptionOf, isFannFile, readModelFile } from './fann/file.js'
import { FannModel } from './fann/model.js'

/** A network of layers, or of FANN. */
export type AnyNetwork = Network | FannModel

/** The engines; each is loaded when it is needed. */
export interface Engines {
  neural(): Promise<NeuralModule>
  fann(): Promise<FannModule>
}

/** What every network takes and gives. */
export interface Ends {
  readonly inputs: number
  readonly outputs: number
  /** What is made small. */
  readonly loss: Loss
  /** Whether the outputs take every value. */
  readonly unbounded: boolean
  /** Whether the outputs are the classes that labels may name. */
  readonly ofClasses: boolean
}

/** What a network takes and gives. */
export function endsOf(network: AnyNetwork): Ends {
  if (network instanceof FannModel) {
    const { inputs, outputs, unbounded } = network
    return { inputs, outputs, unbounded, loss: 'mse', ofClasses: outputs > 1 }
  }
  const { specification } = network
  const { units, activation } = outputOf(specification)
  return {
    inputs: countOf(specification.inputs),
    outputs: units,
    loss: specification.loss,
    unbounded: activation === 'linear',
    ofClasses: isOfProbabilities(specification.loss) && units > 1,
  }
}

/**
 * The network of a model file or of a FANN file.
 *
 * @throws SynapticError `model-*`, `file-*`
 */
export async function openNetwork(engines: Engines, bytes: Uint8Array): Promise<AnyNetwork> {
  if (isFannFile(bytes)) {
    const [neural, fann] = [await engines.neural(), readFann(await engines.fann(), bytes)]
    return owning(fann, () => new FannModel(neural, fann, descriptionOf(fann)))
  }
  const file = readModelFile(bytes)
  const neural = await engines.neural()
  if (file === undefined) return neural.Network.fromModel(bytes)
  const fann = readFann(await engines.fann(), new TextEncoder().encode(file.text))
  return owning(fann, () => {
    checkDescription(file, fann)
    const { task, classes, scaling, target } = file
    const model = new FannModel(neural, fann, { task, classes, scaling, target })
    if (model.weightsCid() !== file.weightsCid) throw damaged('weightsCid')
    return model
  })
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
