import type { NetworkClass, Network as Trained } from './lib/neural/network.js'

export { type Problem, SynapticError } from './lib/errors.js'
export type { FormatName } from './lib/formats/formats.js'
export type { Dtype } from './lib/formats/storage.js'
export type { Examples, Rows } from './lib/neural/examples.js'
export type { FannActivation, Steep } from './lib/neural/fann/activations.js'
export type {
  Algorithm,
  Converted,
  Epoch,
  FannInfo,
  FannTrainOptions,
  Format,
  NetworkClass,
  SaveOptions,
  TrainOptions,
} from './lib/neural/network.js'
export type {
  ArchitectureOptions,
  CreateOptions,
  DenseOptions,
  FannCreateOptions,
  LayersOptions,
} from './lib/neural/specification.js'
export type { PresetName } from './lib/presets.js'
export type { Activation, Extent, Layer, Loss, Shape, Specification } from './lib/wasm.js'

/** A network with its weights. */
export type Network = Trained
/** Makes networks: `await Network.create(...)`, `await Network.load(...)`. */
export declare const Network: NetworkClass
