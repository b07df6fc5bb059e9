/**
 * A stand-in for the `neural` artifact, for tests of the page only: softmax regression in plain
 * JavaScript, with the artifact's interface. It learns, so figures and curves look like something.
 */
export default async function init() {}

class Dataset {
  constructor(values, labels, features, classes) {
    Object.assign(this, { values, labels, features, classes, rows: labels.length })
  }

  static parse(csv, { classes }) {
    const lines = new TextDecoder()
      .decode(csv)
      .trim()
      .split('\n')
      .map((line) => line.split(','))
    const values = []
    const labels = lines.map((cells, row) => {
      const label = cells.pop().trim()
      cells.forEach((cell) => {
        if (!Number.isFinite(Number(cell))) {
          throw {
            code: 'not-a-number',
            message: `Row ${row + 1}: "${cell}" is not a number.`,
            hint: 'Mend it.',
          }
        }
        values.push(Number(cell))
      })
      return classes.indexOf(label)
    })
    return new Dataset(Float32Array.from(values), labels, values.length / labels.length, classes)
  }

  static parseRows(csv, inputs) {
    const lines = new TextDecoder().decode(csv).trim().split('\n')
    const rows = lines.map((line) => line.split(',').map(Number))
    const wrong = rows.findIndex((cells) => cells.length !== inputs)
    if (wrong >= 0) {
      throw {
        code: 'columns',
        message: `The rows have ${rows[wrong].length} columns; ${inputs} are expected.`,
        hint: 'Leave the label out.',
      }
    }
    return { inputs: Float32Array.from(rows.flat()), ignored: [] }
  }

  standardise({ offset, scale }) {
    const scaled = this.values.map((value, at) => {
      const feature = at % this.features
      return (value - offset[feature]) * scale[feature]
    })
    return new Dataset(scaled, this.labels, this.features, this.classes)
  }

  free() {}
}

export class Network {
  constructor(inputs, outputs) {
    Object.assign(this, { inputs, outputs, w: new Float32Array((inputs + 1) * outputs) })
  }

  static create({ inputs, layers }) {
    return new Network(inputs, layers.at(-1).units)
  }

  get parameterCount() {
    return this.w.length
  }

  weights() {
    return this.w.slice()
  }

  setWeights(weights) {
    this.w.set(weights)
  }

  describe({ scaling }) {
    this.scaling = scaling
  }

  runBatch(raw, rows) {
    const { offset, scale } = this.scaling ?? {}
    const inputs = this.scaling
      ? raw.map((value, at) => (value - offset[at % this.inputs]) * scale[at % this.inputs])
      : raw
    return this.#outputs(inputs, rows)
  }

  #outputs(inputs, rows) {
    const out = new Float32Array(rows * this.outputs)
    for (let row = 0; row < rows; row += 1) {
      out.set(
        this.#forward(inputs.subarray(row * this.inputs, (row + 1) * this.inputs)),
        row * this.outputs,
      )
    }
    return out
  }

  #forward(x) {
    const z = Array.from({ length: this.outputs }, (_, o) => {
      let sum = this.w[this.inputs * this.outputs + o]
      for (let i = 0; i < this.inputs; i += 1) sum += x[i] * this.w[o * this.inputs + i]
      return sum
    })
    const top = Math.max(...z)
    const e = z.map((value) => Math.exp(value - top))
    const total = e.reduce((a, b) => a + b)
    return e.map((value) => value / total)
  }

  trainEpoch(data, options) {
    return this.train(data, { ...options, epochs: 1 })
  }

  train(data, { epochs, learningRate }) {
    let loss = 0
    for (let epoch = 0; epoch < epochs; epoch += 1) {
      loss = 0
      for (let row = 0; row < data.rows; row += 1) {
        const x = data.values.subarray(row * this.inputs, (row + 1) * this.inputs)
        const p = this.#forward(x)
        loss -= Math.log(Math.max(1e-9, p[data.labels[row]])) / data.rows
        p.forEach((value, o) => {
          const step = learningRate * 0.1 * (value - (o === data.labels[row] ? 1 : 0))
          for (let i = 0; i < this.inputs; i += 1) this.w[o * this.inputs + i] -= step * x[i]
          this.w[this.inputs * this.outputs + o] -= step
        })
      }
    }
    return { loss }
  }

  evaluate(data) {
    const out = this.#outputs(data.values, data.rows)
    let right = 0
    for (let row = 0; row < data.rows; row += 1) {
      const p = out.subarray(row * this.outputs, (row + 1) * this.outputs)
      if (p.indexOf(Math.max(...p)) === data.labels[row]) right += 1
    }
    return { loss: 0, accuracy: right / data.rows }
  }

  free() {}
}

export function trainUpdate(specification, baseWeights, data, options) {
  const network = Network.create(specification)
  network.setWeights(new Float32Array(baseWeights.slice().buffer))
  const before = network.weights()
  const { loss } = network.train(data, options)
  const delta = network.weights().map((value, at) => value - before[at])
  const { accuracy } = network.evaluate(data)
  return { delta: new Uint8Array(delta.buffer), samples: data.rows, loss, accuracy }
}

export { Dataset }
