// What a network gives for its inputs, computed plainly and in double precision: the oracle that
// every engine is compared with before it is timed. Layouts are those of networks.mjs.

const activations = {
  linear: (values) => values,
  relu: (values) => values.map((value) => Math.max(value, 0)),
  sigmoid: (values) => values.map(sigmoid),
  softmax: (values) => {
    const largest = Math.max(...values)
    const powers = values.map((value) => Math.exp(value - largest))
    const sum = powers.reduce((a, b) => a + b, 0)
    return powers.map((power) => power / sum)
  },
}

const layerKinds = { dense, conv2d, 'max-pool2d': maxPool2d, flatten, lstm }

/** Outputs of all rows; with `count` networks, row `i` goes through network `i`. */
export function forward({ inputs, layers, count }, parameters, numbers) {
  const columns = inputs.reduce((a, b) => a * b, 1)
  const perNetwork = parameters.length / count
  const outputs = []
  for (let row = 0; row * columns < numbers.length; row += 1) {
    const first = count > 1 ? row * perNetwork : 0
    const own = Float64Array.from(parameters.subarray(first, first + perNetwork))
    let values = Array.from(numbers.subarray(row * columns, (row + 1) * columns))
    let [shape, at] = [inputs, 0]
    for (const layer of layers) {
      const size = layer.kernel?.reduce((a, b) => a * b, 1) ?? 0
      const kernel = own.subarray(at, at + size)
      const bias = own.subarray(at + size, at + size + (layer.kernel?.at(-1) ?? 0))
      at += size + bias.length
      ;[values, shape] = layerKinds[layer.type]({ values, shape, layer, kernel, bias })
      values = activations[layer.activation ?? 'linear'](values)
    }
    outputs.push(...values)
  }
  return Float32Array.from(outputs)
}

/** The largest difference, relative to the largest number expected. */
export function relativeError(found, expected) {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  let [difference, largest] = [0, 0]
  for (let index = 0; index < expected.length; index += 1) {
    const here = Math.abs(found[index] - expected[index])
    // Written this way round so that NaN counts.
    if (!(here <= difference)) difference = here
    largest = Math.max(largest, Math.abs(expected[index]))
  }
  return difference / largest
}

function dense({ values, kernel, bias }) {
  const units = bias.length
  const sums = Array.from(bias)
  for (const [input, value] of values.entries()) {
    for (let unit = 0; unit < units; unit += 1) sums[unit] += value * kernel[input * units + unit]
  }
  return [sums, [units]]
}

function conv2d({ values, shape: [height, width, channels], layer, kernel, bias }) {
  const [down, across, , filters] = layer.kernel
  const [rows, columns] = [height - down + 1, width - across + 1]
  const sums = Array.from({ length: rows * columns * filters }, (_, at) => bias[at % filters])
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const to = (y * columns + x) * filters
      for (let tap = 0; tap < down * across * channels; tap += 1) {
        const [dy, rest] = [Math.floor(tap / (across * channels)), tap % (across * channels)]
        const value = values[((y + dy) * width + x) * channels + rest]
        for (let filter = 0; filter < filters; filter += 1)
          sums[to + filter] += value * kernel[tap * filters + filter]
      }
    }
  }
  return [sums, [rows, columns, filters]]
}

function maxPool2d({ values, shape: [height, width, channels], layer: { window } }) {
  const [rows, columns] = [Math.floor(height / window), Math.floor(width / window)]
  const largest = new Array(rows * columns * channels).fill(Number.NEGATIVE_INFINITY)
  for (let y = 0; y < rows * window; y += 1) {
    for (let x = 0; x < columns * window; x += 1) {
      const to = (Math.floor(y / window) * columns + Math.floor(x / window)) * channels
      for (let channel = 0; channel < channels; channel += 1) {
        const value = values[(y * width + x) * channels + channel]
        largest[to + channel] = Math.max(largest[to + channel], value)
      }
    }
  }
  return [largest, [rows, columns, channels]]
}

function flatten({ values }) {
  return [values, [values.length]]
}

function lstm({ values, shape: [steps, features], layer: { units }, kernel, bias }) {
  let hidden = new Array(units).fill(0)
  let cell = new Array(units).fill(0)
  for (let step = 0; step < steps; step += 1) {
    const joined = [...values.slice(step * features, (step + 1) * features), ...hidden]
    const [sums] = dense({ values: joined, kernel, bias })
    const gate = (index) => sums.slice(index * units, (index + 1) * units)
    const [input, forget, candidate, output] = [gate(0), gate(1), gate(2), gate(3)]
    cell = cell.map((was, unit) => {
      const kept = sigmoid(forget[unit]) * was
      return kept + sigmoid(input[unit]) * Math.tanh(candidate[unit])
    })
    hidden = cell.map((now, unit) => sigmoid(output[unit]) * Math.tanh(now))
  }
  return [hidden, [units]]
}

function sigmoid(value) {
  return 1 / (1 + Math.exp(-value))
}
