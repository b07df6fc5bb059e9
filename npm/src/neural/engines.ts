/**
 * Both engines, and what their networks have in common under one type.
 */
import { countOf } from '../training/shapes.js'
import { isOfProbabilities, outputOf } from '../training/specification.js'
import type { FannModule, Loss, Network, NeuralModule } from '../wasm.js'
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
