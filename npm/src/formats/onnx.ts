/**
 * A model as an ONNX file (https://onnx.ai), for other runtimes; it is not read back.
 *
 * The graph takes raw rows, `input` `[batch, ..]` in the order that ours have, channels last, and
 * gives `output` `[batch, ..]` in the units of the data: scalings are a part of it. `batch` is
 * free. Numbers of words come as `f32` too. Dropout is left out. Columns of categories are to be
 * encoded before. What the file says besides are its metadata: `task`, and as JSON lists `classes`, in
 * the order of the outputs, and `columns`.
 */
import { sizesOf, valuesOf } from '../training/shapes.js'
import type { Network } from '../wasm.js'
import { modelOf, type PlainScaling } from './model.js'
import { Builder, type Value } from './onnx/builder.js'
import { added } from './onnx/layers.js'
import type { Parameter } from './onnx/place.js'
import { modelBytes } from './onnx/proto.js'
import { fromCanonical, lengthOf, tensorsOf } from './tensors.js'

const INPUT = 'input'
const OUTPUT = 'output'

/** The file of a network. */
export function writeOnnx(network: Network): Uint8Array {
  const { description, weights } = modelOf(network)
  const { specification, scaling, targetScaling, task, classes, columns } = description
  const builder = new Builder()
  const sizes = valuesOf(specification)
  const parameters = parametersOf(specification, weights)
  const inputs = sizesOf(specification.inputs)
  const values: Value[] = [{ sizes: inputs, names: { last: scaled(builder, inputs, scaling) } }]
  specification.layers.forEach((layer, index) => {
    builder.scope = `layers.${index}.`
    const value = (place: number): Value => values[place] ?? { sizes: [], names: {} }
    const next = added(layer, {
      ...{ builder, from: value(index), sizes: sizes[index + 1] ?? [] },
      joined: 'with' in layer ? [layer.with].flat().map(value) : [],
      parameter: (name) => parameters.get(`layers.${index}.${name}`) ?? NONE,
    })
    values.push(next)
  })
  builder.scope = ''
  const result = unscaled(builder, values.at(-1) ?? values[0], targetScaling)
  const output = sizes.at(-1) ?? []
  finish(builder, result)
  const properties = new Map<string, string>()
  if (task !== null) properties.set('task', task)
  if (classes.length > 0) properties.set('classes', JSON.stringify(classes))
  if (columns.length > 0) properties.set('columns', JSON.stringify(columns))
  const { nodes, constants } = builder
  const graph = {
    ...{ name: 'network', nodes, constants },
    input: { name: INPUT, shape: ['batch', ...inputs] },
    output: { name: OUTPUT, shape: ['batch', ...output] },
  }
  return modelBytes(graph, properties)
}

const NONE: Parameter = { shape: [], numbers: new Float32Array() }

function parametersOf(
  specification: Parameters<typeof tensorsOf>[0],
  weights: Float32Array,
): ReadonlyMap<string, Parameter> {
  let from = 0
  return new Map(
    tensorsOf(specification).map((tensor) => {
      const to = from + lengthOf(tensor)
      const numbers = fromCanonical(tensor, weights.subarray(from, to))
      from = to
      return [tensor.name, { shape: tensor.shape, numbers }]
    }),
  )
}

/** Whether a scaling leaves numbers as they are. */
function isIdentity({ offset, scale }: PlainScaling): boolean {
  return offset.every((one) => one === 0) && scale.every((one) => one === 1)
}

/** `(raw - offset) * scale`, the very operations of the core. */
function scaled(builder: Builder, sizes: readonly number[], scaling: PlainScaling | null): string {
  if (scaling === null || isIdentity(scaling)) return INPUT
  builder.scope = 'scaling.'
  const offset = builder.constant('offset', sizes, Float32Array.from(scaling.offset))
  const scale = builder.constant('scale', sizes, Float32Array.from(scaling.scale))
  return builder.node('Mul', [builder.node('Sub', [INPUT, offset]), scale])
}

/** The outputs in the units of the targets: `y / scale + offset`. */
function unscaled(
  builder: Builder,
  value: Value | undefined,
  scaling: PlainScaling | null,
): string {
  const name = value === undefined ? INPUT : builder.lying(value, 'last')
  if (scaling === null || isIdentity(scaling)) return name
  builder.scope = 'targetScaling.'
  const shape = [scaling.offset.length]
  const scale = builder.constant('scale', shape, Float32Array.from(scaling.scale))
  const offset = builder.constant('offset', shape, Float32Array.from(scaling.offset))
  return builder.node('Add', [builder.node('Div', [name, scale]), offset])
}

/** Calls the result the output; what no node made is handed through. */
function finish(builder: Builder, result: string): void {
  const made = result === INPUT ? builder.node('Identity', [INPUT]) : result
  builder.rename(made, OUTPUT)
}
