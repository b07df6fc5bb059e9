/**
 * Networks of dense layers as networks of FANN, and back.
 *
 * Both compute the same function where both have the activation. On the way to FANN weights keep
 * their bits; on the way back a steepness is multiplied into the weights, which rounds unless it is
 * a power of two. Outputs agree to a few units in the last place, because exponentials are computed
 * differently; and FANN cuts sums beyond 150 over the steepness, which layers do not.
 */
import { SynapticError } from '../../errors.js'
import type { Fann, FannModule, Layer, Network, NeuralModule } from '../../wasm.js'
import { counterpartOf, FANN_ACTIVATIONS, layersHave, numberOf, type Steep } from './activations.js'

/**
 * The FANN network of a network of layers. One without hidden layers becomes a shortcut network,
 * which a cascade can grow.
 *
 * @throws SynapticError `no-counterpart`
 */
export function fannOfLayers(module: FannModule, network: Network): Fann {
  const { inputs, layers } = network.specification
  const first = typeof inputs === 'number' ? inputs : inputs.length === 1 ? inputs[0] : undefined
  if (first === undefined) throw noFann('inputs with more than one direction')
  const steeps = layers.map((layer) => steepOfLayer(layer))
  const sizes = [first, ...layers.map((layer) => ('units' in layer ? layer.units : 0))]
  const fann = module.Fann.create(Uint32Array.from(sizes), sizes.length === 2, 1, 0n)
  try {
    steeps.forEach(({ activation, steepness }, index) => {
      fann.setActivation(index + 1, numberOf(activation), steepness)
    })
    fann.setWeights(turned(network.weights(), sizes, 'fann'))
    return fann
  } catch (thrown) {
    fann.free()
    throw thrown
  }
}

/** Gives a network of layers the weights of its FANN network. */
export function takeWeights(network: Network, fann: Fann): void {
  network.setWeights(turned(fann.weights(), fann.layers, 'layers'))
}

/**
 * The network of layers that computes what a FANN network does; its loss is "mse".
 *
 * @throws SynapticError `no-counterpart`
 */
export function layersOfFann(neural: NeuralModule, fann: Fann): Network {
  const sizes = [...fann.layers]
  const weights = fann.weights()
  const layered = !fann.shortcut || sizes.length === 2
  if (!layered || fann.connectionRate < 1 || weights.length !== fullCount(sizes)) {
    throw noLayers('its neurons do not take exactly the layer before them')
  }
  const numbers = turned(weights, sizes, 'layers')
  const [inputs = 0, ...units] = sizes
  let start = 0
  const layers = units.map((count, index) => {
    const { activation, factor } = layerOf(steepsOf(fann, index + 1))
    const end = start + ((sizes[index] ?? 0) + 1) * count
    for (let at = start; at < end; at += 1) numbers[at] = (numbers[at] ?? 0) * factor
    start = end
    return { units: count, activation }
  })
  const network = neural.Network.create({ inputs, layers, loss: 'mse' }, 0n)
  network.setWeights(numbers)
  return network
}

/** Activation and steepness of each neuron of a layer; the inputs, layer 0, have none. */
export function steepsOf(fann: Fann, layer: number): Steep[] {
  const numbers = fann.activations(layer)
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({
    activation: FANN_ACTIVATIONS[numbers[2 * index] ?? 0] ?? 'linear',
    steepness: numbers[2 * index + 1] ?? 0,
  }))
}

function steepOfLayer(layer: Layer): Steep {
  const dense = layer.type === undefined || layer.type === 'dense'
  const steep = dense ? counterpartOf(layer.activation) : undefined
  if (steep !== undefined) return steep
  if (dense && layer.activation === 'softmax') {
    throw new SynapticError(
      'no-counterpart',
      'FANN has no softmax, and so no outputs that exclude each other',
      'make the network with --loss bce, an answer for each class by itself; or train it by adam',
    )
  }
  throw noFann(dense ? `the activation ${layer.activation}` : `the layer ${layer.type}`)
}

function layerOf(steeps: readonly Steep[]) {
  const [first, ...others] = steeps
  const same = others.every(
    ({ activation, steepness }) =>
      activation === first?.activation && steepness === first.steepness,
  )
  const found = first && same ? layersHave(first) : undefined
  if (found !== undefined) return found
  const why = same ? `layers do not have ${first?.activation}` : 'neurons of one layer differ'
  throw noLayers(why)
}

function fullCount(sizes: readonly number[]): number {
  const [, ...rest] = sizes
  return rest.reduce((sum, size, index) => sum + ((sizes[index] ?? 0) + 1) * size, 0)
}

/** From `[in + 1, out]` of each layer, the bias last, to `[out, in + 1]` of FANN, or back. */
function turned(weights: Float32Array, sizes: ArrayLike<number>, to: 'fann' | 'layers') {
  const result = new Float32Array(weights.length)
  let start = 0
  for (let layer = 1; layer < sizes.length; layer += 1) {
    const size = [(sizes[layer - 1] ?? 0) + 1, sizes[layer] ?? 0] as const
    const [rows, columns] = to === 'fann' ? size : ([size[1], size[0]] as const)
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        result[start + column * rows + row] = weights[start + row * columns + column] ?? 0
      }
    }
    start += rows * columns
  }
  return result
}

function noFann(what: string): SynapticError {
  return new SynapticError(
    'no-counterpart',
    `FANN has no counterpart of ${what}`,
    'use dense layers of sigmoid, tanh, relu, leaky-relu or linear (classes: --loss bce), or adam',
  )
}

function noLayers(why: string): SynapticError {
  return new SynapticError(
    'no-counterpart',
    `this network of FANN cannot be written as layers: ${why}`,
    'use it as the network of FANN that it is',
  )
}
