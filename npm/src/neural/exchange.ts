/**
 * The fast way of one row to a network: through memory that both sides know.
 *
 * Handing arrays to the core takes memory for them and copies them twice, which is as much work as
 * a small network itself.
 */
import type { Network, NeuralModule } from '../wasm.js'

/** Up to here a loop copies faster than a view is made. */
const LOOP_MAX = 128

/** Numbers of a row that a network takes and gives. */
export interface Sizes {
  readonly inputs: number
  readonly outputs: number
}

/** The place in the memory of a core where rows and outputs are exchanged. */
export class Exchange {
  readonly #neural: NeuralModule
  /** Empty at first, and whenever the core's memory has grown. */
  #numbers: Float32Array = new Float32Array(0)

  constructor(neural: NeuralModule) {
    this.#neural = neural
  }

  /**
   * What `network` makes of a row; undefined if the way through arguments must be taken, which
   * also says what is wrong.
   */
  run(
    network: Network,
    input: ArrayLike<number>,
    { inputs, outputs }: Sizes,
    output: Float32Array | undefined,
  ): Float32Array | undefined {
    if (input.length !== inputs) return undefined
    if (output !== undefined && output.length !== outputs) return undefined
    const numbers = this.#open()
    if (inputs + outputs > numbers.length) return undefined
    numbers.set(input)
    if (!network.runExchanged()) return undefined
    return taken(this.#open(), inputs, outputs, output)
  }

  #open(): Float32Array {
    if (this.#numbers.length === 0) this.#numbers = this.#neural.exchange()
    return this.#numbers
  }
}

function taken(
  from: Float32Array,
  start: number,
  count: number,
  to: Float32Array | undefined,
): Float32Array {
  if (to === undefined) return from.slice(start, start + count)
  if (count > LOOP_MAX) to.set(from.subarray(start, start + count))
  else for (let index = 0; index < count; index += 1) to[index] = from[start + index] as number
  return to
}
