// brain.js. It has no batches: a batch is as many calls. Sums are in double precision.

import brain from 'brain.js'
import { Cannot } from '../neural/cannot.mjs'

export function open() {
  return {
    load({ inputs, layers, weights, numbers, count }) {
      const size = weights.length / count
      const own = (index) => weights.subarray(index * size, (index + 1) * size)
      const networks = Array.from({ length: count }, (_, index) => networkOf(layers, own(index)))
      const rowsOfNumbers = cut(numbers, inputs[0])
      const run = () => rowsOfNumbers.map((row, index) => networks[count > 1 ? index : 0].run(row))
      return { run, outputs: () => Float32Array.from(run().flatMap((row) => [...row])) }
    },
    create({ layers, weights, numbers }) {
      const network = networkOf(layers, weights)
      return { run: () => network.run(numbers) }
    },
  }
}

const cut = (numbers, size) =>
  Array.from({ length: numbers.length / size }, (_, row) =>
    numbers.subarray(row * size, (row + 1) * size),
  )

function networkOf(layers, weights) {
  if (layers.some(({ kernel, activation }) => !kernel || activation !== 'sigmoid'))
    throw new Cannot('here it gets dense layers with sigmoid')
  const network = new brain.NeuralNetwork({ activation: 'sigmoid' })
  network.sizes = [layers[0].kernel[0], ...layers.map(({ kernel }) => kernel[1])]
  network.initialize()
  let at = 0
  for (const [index, { kernel }] of layers.entries()) {
    const [inputs, units] = kernel
    const bias = at + inputs * units
    for (let unit = 0; unit < units; unit += 1) {
      network.biases[index + 1][unit] = weights[bias + unit]
      for (let input = 0; input < inputs; input += 1)
        network.weights[index + 1][unit][input] = weights[at + input * units + unit]
    }
    at = bias + units
  }
  return network
}
