/**
 * A graph that grows: nodes, constants, and values that may lie in either order of axes.
 *
 * Our images and sequences have their channels last, as `[batch, height, width, channels]`; windows
 * of ONNX slide over `[batch, channels, height, width]`. A value is turned where an operator wants
 * the other order, and once only: what does not care, such as an activation, takes it as it lies.
 */
import type { Sizes } from '../../training/shapes.js'
import type { Attribute, Constant, Node } from './proto.js'

/** Where the channels of a value are. */
export type Order = 'last' | 'first'

/** A value of the network: its sizes without the batch, channels last; its name in each order. */
export interface Value {
  readonly sizes: Sizes
  readonly names: Partial<Record<Order, string>>
}

/** The parts of a graph. */
export class Builder {
  readonly nodes: Node[] = []
  readonly constants: Constant[] = []
  /** What the names of nodes, values and constants begin with. */
  scope = ''
  readonly #counts = new Map<string, number>()

  /** Adds a node; the name of its only output. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const [output = ''] = this.nodeOf(operator, inputs, 1, attributes)
    return output
  }

  /** Adds a node of so many outputs; their names. */
  nodeOf(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const name = this.#unused(`${this.scope}${operator}`)
    const outputs = Array.from({ length: outputCount }, (_, at) =>
      at === 0 ? name : `${name}.${at}`,
    )
    this.nodes.push({ operator, name, inputs, outputs, attributes })
    return outputs
  }

  /** Adds a constant of the scope; its name. */
  constant(name: string, shape: readonly number[], values: Float32Array): string {
    const unused = this.#unused(`${this.scope}${name}`)
    this.constants.push({ name: unused, shape, values })
    return unused
  }

  /** Adds a list of whole numbers; its name. */
  wholes(name: string, values: readonly number[]): string {
    const unused = this.#unused(`${this.scope}${name}`)
    this.constants.push({ name: unused, shape: [values.length], values: values.map(BigInt) })
    return unused
  }

  /** The name of a value in an order of axes, turned if it does not lie so yet. */
  lying(value: Value, order: Order): string {
    const name = value.names[order]
    if (name !== undefined) return name
    const other = value.names[order === 'last' ? 'first' : 'last'] ?? ''
    // Without positions there is nothing to turn.
    const axes = value.sizes.map((_, axis) => axis + 1)
    const last = axes.pop() ?? 1
    const turns = order === 'first' ? [0, last, ...axes] : [0, ...axes.map((axis) => axis + 1), 1]
    const turned = axes.length === 0 ? other : this.node('Transpose', [other], { perm: turns })
    value.names[order] = turned
    return turned
  }

  /** The order in which a value lies already. */
  orderOf({ names }: Value): Order {
    return names.last === undefined ? 'first' : 'last'
  }

  /** Gives a value that a node makes another name. */
  rename(from: string, to: string): void {
    const renamed = (names: readonly string[]) => names.map((name) => (name === from ? to : name))
    this.nodes.forEach((node, at) => {
      const { inputs, outputs } = node
      this.nodes[at] = { ...node, inputs: renamed(inputs), outputs: renamed(outputs) }
    })
  }

  #unused(name: string): string {
    const count = this.#counts.get(name) ?? 0
    this.#counts.set(name, count + 1)
    return count === 0 ? name : `${name}_${count + 1}`
  }
}
