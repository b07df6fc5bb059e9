/**
 * The messages of `onnx.proto3` that a network needs, as bytes.
 *
 * Protocol buffers are a field number, a wire type and a value, one after the other
 * (https://protobuf.dev/programming-guides/encoding): writing them takes fewer lines than calling a
 * library for it, which a page would have to download. Field numbers are those of ONNX's
 * `onnx.proto3` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
 */
import { bytesOf } from '../storage.js'

/** A part of a message. */
export type Bytes = Uint8Array

/** Numbers as operators take them beside their inputs: whole ones, lists of them, texts, reals. */
export type Attribute = number | readonly number[] | string | { readonly real: number }

/** A node of the graph. */
export interface Node {
  readonly operator: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A constant of the graph: of single precision, or of whole numbers of 64 bits. */
export interface Constant {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array | readonly bigint[]
}

/** An input or output of the graph; a size that is a text is any number, and the text its name. */
export interface Port {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

/** A model; all its ports are of single precision. */
export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly constants: readonly Constant[]
  readonly input: Port
  readonly output: Port
}

const VARINT = 0
const LENGTH_DELIMITED = 2
const FIXED_32 = 5

/** `TensorProto.DataType`. */
export const FLOAT = 1
/** `TensorProto.DataType`. */
export const INT64 = 7

/** `AttributeProto.AttributeType`, with the field of the value. */
const ATTRIBUTES = {
  real: { type: 1, field: 2 },
  whole: { type: 2, field: 3 },
  text: { type: 3, field: 4 },
  list: { type: 7, field: 8 },
} as const

/** Of ONNX 1.12, which introduced operator set 17. */
const IR_VERSION = 8
/** The first with `LayerNormalization`; every later runtime takes it. */
export const OPERATOR_SET = 17

/** A file: `ModelProto`. */
export function modelBytes(graph: Graph, properties: ReadonlyMap<string, string>): Bytes {
  return joined([
    whole(1, IR_VERSION),
    text(2, 'synaptic-mesh'),
    message(7, graphOf(graph)),
    message(8, [text(1, ''), whole(2, OPERATOR_SET)]),
    ...[...properties].map(([key, value]) => message(14, [text(1, key), text(2, value)])),
  ])
}

function graphOf({ name, nodes, constants, input, output }: Graph): Bytes[] {
  return [
    ...nodes.map((node) => message(1, nodeOf(node))),
    text(2, name),
    ...constants.map((constant) => message(5, constantOf(constant))),
    message(11, portOf(input)),
    message(12, portOf(output)),
  ]
}

function nodeOf({ operator, name, inputs, outputs, attributes }: Node): Bytes[] {
  return [
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    text(3, name),
    text(4, operator),
    ...Object.entries(attributes).map(([key, value]) => message(5, attributeOf(key, value))),
  ]
}

function attributeOf(name: string, value: Attribute): Bytes[] {
  const typed = (kind: keyof typeof ATTRIBUTES, write: (field: number) => Bytes[]): Bytes[] => {
    const { type, field } = ATTRIBUTES[kind]
    return [text(1, name), ...write(field), whole(20, type)]
  }
  if (typeof value === 'number') return typed('whole', (field) => [whole(field, value)])
  if (typeof value === 'string') return typed('text', (field) => [text(field, value)])
  if ('real' in value) return typed('real', (field) => [real(field, value.real)])
  return typed('list', (field) => value.map((one) => whole(field, one)))
}

function constantOf({ name, shape, values }: Constant): Bytes[] {
  const isFloat = values instanceof Float32Array
  return [
    ...shape.map((size) => whole(1, size)),
    whole(2, isFloat ? FLOAT : INT64),
    text(8, name),
    bytes(9, isFloat ? bytesOf(values) : wholesOf(values)),
  ]
}

function wholesOf(values: readonly bigint[]): Bytes {
  const view = new DataView(new ArrayBuffer(8 * values.length))
  values.forEach((value, place) => {
    view.setBigInt64(8 * place, value, true)
  })
  return new Uint8Array(view.buffer)
}

function portOf({ name, shape }: Port): Bytes[] {
  const sizes = shape.map((size) =>
    message(1, [typeof size === 'string' ? text(2, size) : whole(1, size)]),
  )
  return [text(1, name), message(2, [message(1, [whole(1, FLOAT), message(2, sizes)])])]
}

// ---- the encoding ------------------------------------------------------------------------------

/** Seven bits at a time, the lowest first. Numbers below 0 are of 64 bits; none occur. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

function tag(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType)
}

function whole(field: number, value: number): Bytes {
  return Uint8Array.from([...tag(field, VARINT), ...varint(value)])
}

function real(field: number, value: number): Bytes {
  return Uint8Array.from([...tag(field, FIXED_32), ...bytesOf(Float32Array.of(value))])
}

function bytes(field: number, content: Bytes): Bytes {
  return joined([
    Uint8Array.from([...tag(field, LENGTH_DELIMITED), ...varint(content.length)]),
    content,
  ])
}

function text(field: number, content: string): Bytes {
  return bytes(field, new TextEncoder().encode(content))
}

function message(field: number, parts: readonly Bytes[]): Bytes {
  return bytes(field, joined(parts))
}

function joined(parts: readonly Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
