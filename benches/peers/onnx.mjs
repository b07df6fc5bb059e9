// Networks as ONNX files, for onnxruntime-web and tract: a writer of the few messages of
// `onnx.proto3` (ONNX 1.12, opset 17) that they need.
//
// Layouts differ from ours where ONNX wants it, and only outside of what is timed: images are
// channels first, sequences `[steps][batch][features]`, gates input, output, forget, cell.

const IR_VERSION = 8
const OPSET = 17
const FLOAT = 1

const varint = (value) =>
  value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
const whole = (field, value) => Buffer.from([...varint(field * 8), ...varint(value)])
const bytes = (field, content) => {
  const body = Buffer.from(content)
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body])
}
const message = (field, ...parts) => bytes(field, Buffer.concat(parts))

/** Attributes: a list of whole numbers, or one. */
const attribute = (name, value) =>
  message(
    5,
    bytes(1, name),
    ...(Array.isArray(value)
      ? [...value.map((one) => whole(8, one)), whole(20, 7)]
      : [whole(3, value), whole(20, 2)]),
  )

const node = (operation, inputs, outputs, attributes = {}) =>
  message(
    1,
    ...inputs.map((name) => bytes(1, name)),
    ...outputs.map((name) => bytes(2, name)),
    bytes(4, operation),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  )

const tensor = (name, sizes, values) =>
  message(
    5,
    ...sizes.map((size) => whole(1, size)),
    whole(2, FLOAT),
    bytes(8, name),
    bytes(9, new Uint8Array(Float32Array.from(values).buffer)),
  )

/** An input (field 11) or output (field 12) of the graph. */
const port = (field, name, sizes) => {
  const shape = message(2, ...sizes.map((size) => message(1, whole(1, size))))
  return message(field, bytes(1, name), message(2, message(1, whole(1, FLOAT), shape)))
}

const activations = { relu: 'Relu', sigmoid: 'Sigmoid', softmax: 'Softmax' }
const product = (sizes) => sizes.reduce((a, b) => a * b, 1)

/** The file. Its input is called `input`, its output `output`. */
export function onnxOf({ inputs, layers, rows, weights }) {
  const graph = new Graph(inputs, rows, weights)
  for (const layer of layers) graph.add(layer)
  return graph.file()
}

/** The sizes of the input, for a batch of `rows`. */
export function inputSizes(inputs, rows) {
  if (inputs.length === 2) return [inputs[0], rows, inputs[1]]
  return inputs.length === 3 ? [rows, inputs[2], inputs[0], inputs[1]] : [rows, ...inputs]
}

/** Our inputs in the order of `inputSizes`; images here have one channel. */
export function inputNumbers(inputs, rows, numbers) {
  if (inputs.length !== 2) return numbers
  const [steps, features] = inputs
  return numbers.map((_, to) => {
    const [step, rest] = [Math.floor(to / (rows * features)), to % (rows * features)]
    const row = Math.floor(rest / features)
    return numbers[(row * steps + step) * features + (rest % features)]
  })
}

class Graph {
  constructor(inputs, rows, weights) {
    Object.assign(this, { inputs, rows, weights, shape: inputs, last: 'input' })
    Object.assign(this, { nodes: [], tensors: [], at: 0, flattened: null })
  }

  add(layer) {
    const { last } = this
    if (layer.kernel) [this.kernel, this.bias] = this.take(layer.kernel)
    this[layer.type](layer)
    const operation = activations[layer.activation]
    if (operation) this.node(operation, [this.last], operation === 'Softmax' ? { axis: 1 } : {})
    if (this.last === last) throw new Error(`nothing was made of ${layer.type}`)
  }

  take(sizes) {
    const [from, size] = [this.at, product(sizes)]
    this.at = from + size + sizes.at(-1)
    return [this.weights.subarray(from, from + size), this.weights.subarray(from + size, this.at)]
  }

  node(operation, inputs, attributes = {}) {
    this.last = `value${this.nodes.length}`
    this.nodes.push(node(operation, inputs, [this.last], attributes))
  }

  constant(sizes, values) {
    const name = `constant${this.tensors.length}`
    this.tensors.push(tensor(name, sizes, values))
    return name
  }

  dense({ kernel: [inputs, units] }) {
    // The rows of the first layer after `flatten` come in the order of channels first.
    const order = this.flattened ?? ((row) => row)
    const values = this.kernel.map((_, to) => {
      const [row, unit] = [Math.floor(to / units), to % units]
      return this.kernel[order(row) * units + unit]
    })
    const constants = [this.constant([inputs, units], values), this.constant([units], this.bias)]
    this.node('Gemm', [this.last, ...constants])
    Object.assign(this, { shape: [units], flattened: null })
  }

  conv2d({ kernel: [down, across, channels, filters] }) {
    const values = this.kernel.map((_, to) => {
      const taps = down * across
      const [filter, rest] = [Math.floor(to / (channels * taps)), to % (channels * taps)]
      const [channel, tap] = [Math.floor(rest / taps), rest % taps]
      return this.kernel[(tap * channels + channel) * filters + filter]
    })
    const constants = [
      this.constant([filters, channels, down, across], values),
      this.constant([filters], this.bias),
    ]
    this.node('Conv', [this.last, ...constants], { kernel_shape: [down, across] })
    this.shape = [this.shape[0] - down + 1, this.shape[1] - across + 1, filters]
  }

  'max-pool2d'({ window }) {
    const sizes = [window, window]
    this.node('MaxPool', [this.last], { kernel_shape: sizes, strides: sizes })
    const [height, width, channels] = this.shape
    this.shape = [Math.floor(height / window), Math.floor(width / window), channels]
  }

  flatten() {
    const [height, width, channels] = this.shape
    this.node('Flatten', [this.last], { axis: 1 })
    this.flattened = (row) => {
      const [channel, pixel] = [Math.floor(row / (height * width)), row % (height * width)]
      return pixel * channels + channel
    }
    this.shape = [product(this.shape)]
  }

  lstm({ units }) {
    const [, features] = this.shape
    const gates = [0, 3, 1, 2]
    const rowsOf = (first, count) =>
      Float32Array.from({ length: 4 * units * count }, (_, to) => {
        const [row, input] = [Math.floor(to / count), to % count]
        const gate = gates[Math.floor(row / units)]
        return this.kernel[(first + input) * 4 * units + gate * units + (row % units)]
      })
    const bias = Float32Array.from({ length: 8 * units }, (_, to) =>
      to < 4 * units ? this.bias[gates[Math.floor(to / units)] * units + (to % units)] : 0,
    )
    const constants = [
      this.constant([1, 4 * units, features], rowsOf(0, features)),
      this.constant([1, 4 * units, units], rowsOf(features, units)),
      this.constant([1, 8 * units], bias),
    ]
    const all = `sequence${this.nodes.length}`
    const hidden = `hidden${this.nodes.length}`
    const attributes = { hidden_size: units }
    this.nodes.push(node('LSTM', [this.last, ...constants], [all, hidden], attributes))
    // `[1][batch][units]`: the one direction is folded into the batch.
    this.last = hidden
    this.node('Flatten', [this.last], { axis: 2 })
    this.shape = [units]
  }

  file() {
    const graph = message(
      7,
      ...this.nodes,
      bytes(2, 'network'),
      ...this.tensors,
      port(11, 'input', inputSizes(this.inputs, this.rows)),
      port(12, this.last, [this.rows, ...this.shape]),
    )
    return Buffer.concat([whole(1, IR_VERSION), graph, message(8, bytes(1, ''), whole(2, OPSET))])
  }
}
