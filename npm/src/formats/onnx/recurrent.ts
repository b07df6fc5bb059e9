/**
 * RNN, LSTM and GRU. ONNX wants sequences as `[steps, batch, features]`, gates in another order
 * than ours, and two biases, of which ours is the first; the second has the candidate's of a GRU.
 */
import type { Layer } from '../../wasm.js'
import { GATES } from '../tensors.js'
import type { Value } from './builder.js'
import { type Parameter, type Place, reshaped } from './place.js'

type Recurrent = Extract<Layer, { readonly type: 'rnn' | 'lstm' | 'gru' }>

/**
 * The gates as ONNX orders them, by their places in ours: LSTM i, o, f, c from i, f, g, o; GRU
 * z, r, h from r, z, n.
 */
export const GATE_ORDER = { rnn: [0], lstm: [0, 3, 1, 2], gru: [1, 0, 2] } as const

const OPERATORS = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' } as const

/** The layer; its first output is that of all steps, the second the last state. */
export function recurrent(layer: Recurrent, place: Place): Value {
  const { builder, from, sizes } = place
  const { type, units } = layer
  const directions = layer.bidirectional === true ? ['', '_reverse'] : ['']
  const stepsFirst = builder.node('Transpose', [builder.lying(from, 'last')], { perm: [1, 0, 2] })
  const [features, steps] = [from.sizes.at(-1) ?? 1, from.sizes[0] ?? 1]
  const sums = GATES[type] * units
  const count = directions.length
  const constant = (name: string, shape: number[], part: (direction: string) => Float32Array) => {
    return builder.constant(name, [count, ...shape], joined(directions.map(part)))
  }
  const gated = (name: string) => (direction: string) =>
    inGateOrder(type, place.parameter(`${name}${direction}`))
  const inputs = [
    constant('W', [sums, features], gated('weight_ih')),
    constant('R', [sums, units], gated('weight_hh')),
    constant('B', [2 * sums], (direction) => biases(layer, place, direction)),
  ]
  const [all = '', last = ''] = builder.nodeOf(OPERATORS[type], [stepsFirst, ...inputs], 2, {
    hidden_size: units,
    direction: count === 2 ? 'bidirectional' : 'forward',
    // Ours applies the reset gate after the product.
    ...(type === 'gru' && { linear_before_reset: 1 }),
  })
  const everyStep = layer.returns === 'all'
  // `[steps, directions, batch, units]` and `[directions, batch, units]`.
  const rows = everyStep
    ? builder.node('Transpose', [all], { perm: [2, 0, 1, 3] })
    : builder.node('Transpose', [last], { perm: [1, 0, 2] })
  const flat = everyStep ? [steps, count * units] : [count * units]
  return { sizes, names: { last: reshaped(builder, rows, flat) } }
}

/** A tensor `[gates * units, ..]` with its gates as ONNX orders them. */
function inGateOrder(type: Recurrent['type'], { numbers }: Parameter): Float32Array {
  const length = numbers.length / GATES[type]
  const gate = (place: number): Float32Array =>
    numbers.subarray(place * length, (place + 1) * length)
  return joined(GATE_ORDER[type].map(gate))
}

/** The bias of the inputs, then that of the state. */
function biases({ type, units }: Recurrent, { parameter }: Place, direction: string): Float32Array {
  const ofInputs = inGateOrder(type, parameter(`bias${direction}`))
  const ofState = new Float32Array(ofInputs.length)
  if (type === 'gru') {
    ofState.set(parameter(`bias_hn${direction}`).numbers, 2 * units)
  }
  return joined([ofInputs, ofState])
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
