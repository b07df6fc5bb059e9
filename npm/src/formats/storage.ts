/**
 * Parameters as tensors of bytes, in single or half precision or in eight bits, and back.
 *
 * What is compact are matrices: vectors (biases, scales and shifts, statistics) stay `F32`, since
 * they are few and the most is lost with them. Half precision rounds to the nearest, of two to the
 * even one. Eight bits are symmetric: a row of a matrix (of a product: what leads to one output)
 * has one scale `s`, its largest size over 127, and each number is the whole one nearest to `w / s`,
 * -127 to 127. It comes back as `q s`, at most `s / 2` away and rounded to `f32`. The scales of the
 * rows of `NAME` are the tensor `NAME_scale`.
 */
import { SynapticError } from '../errors.js'
import type { Shaped, Sizes } from '../training/shapes.js'
import { badTensor, quoted } from './errors.js'
import { HALF_MAX, halfOf, numberOf, roundEven } from './half.js'
import { fromCanonical, lengthOf, type TensorInfo, tensorsOf, toCanonical } from './tensors.js'

/** How the matrices of a file are kept. */
export type Dtype = 'f32' | 'f16' | 'int8'

/** Every dtype, the most exact first. */
export const DTYPES: readonly Dtype[] = ['f32', 'f16', 'int8']

/** How the numbers of a tensor are kept, in the words of safetensors. All are little-endian. */
export type Kind = 'F32' | 'F16' | 'I8'

/** Bytes of a number. */
export const KIND_BYTES: Readonly<Record<Kind, number>> = { F32: 4, F16: 2, I8: 1 }

/** A tensor of a file. */
export interface StoredTensor {
  readonly kind: Kind
  readonly shape: Sizes
  readonly bytes: Uint8Array
}

/** The tensors of a file by their names. */
export type Stored = ReadonlyMap<string, StoredTensor>

/**
 * The tensors of canonical parameters, in canonical order.
 *
 * @throws SynapticError `weights-too-large` for a number that no half is near
 */
export function store(specification: Shaped, weights: Float32Array, dtype: Dtype): Stored {
  const stored = new Map<string, StoredTensor>()
  let from = 0
  for (const tensor of tensorsOf(specification)) {
    const length = lengthOf(tensor)
    const numbers = fromCanonical(tensor, weights.subarray(from, from + length))
    from += length
    const { name, shape } = tensor
    if (shape.length < 2 || dtype === 'f32') {
      stored.set(name, { kind: 'F32', shape, bytes: bytesOf(numbers) })
    } else if (dtype === 'f16') {
      stored.set(name, { kind: 'F16', shape, bytes: halves(name, numbers) })
    } else {
      const [rows = 1] = shape
      const { bytes, scales } = eightBits(numbers, rows)
      stored.set(name, { kind: 'I8', shape, bytes })
      stored.set(scaleOf(name), { kind: 'F32', shape: [rows], bytes: bytesOf(scales) })
    }
  }
  return stored
}

/**
 * The canonical parameters of tensors; every tensor of the network must be there, and no other.
 *
 * @throws SynapticError `model-tensor`
 */
export function restore(specification: Shaped, stored: Stored): Float32Array {
  const tensors = tensorsOf(specification)
  const weights = new Float32Array(tensors.reduce((sum, tensor) => sum + lengthOf(tensor), 0))
  const used = new Set<string>()
  let to = 0
  for (const tensor of tensors) {
    const length = lengthOf(tensor)
    const numbers = numbersOf(tensor, stored, used)
    if (!numbers.every(Number.isFinite)) {
      throw badTensor(`${tensor.name} has a number that is not finite`)
    }
    toCanonical(tensor, numbers, weights.subarray(to, to + length))
    to += length
  }
  for (const name of stored.keys()) {
    if (!used.has(name)) throw badTensor(`the network has no tensor ${quoted(name)}`)
  }
  return weights
}

/** The largest difference that a dtype makes to a parameter. */
export function largestError(before: Float32Array, after: Float32Array): number {
  return before.reduce((most, number, place) => {
    return Math.max(most, Math.abs(number - (after[place] ?? 0)))
  }, 0)
}

/** Little-endian, whatever the machine is. */
export function bytesOf(numbers: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * numbers.length))
  numbers.forEach((number, place) => {
    view.setFloat32(4 * place, number, true)
  })
  return new Uint8Array(view.buffer)
}

/** What [`bytesOf`] wrote. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const view = viewOf(bytes)
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(4 * at, true))
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

function scaleOf(name: string): string {
  return `${name}_scale`
}

function halves(name: string, numbers: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * numbers.length))
  numbers.forEach((number, place) => {
    const half = halfOf(number)
    if (!Number.isFinite(numberOf(half))) {
      throw new SynapticError(
        'weights-too-large',
        `${name} has a number beyond ${HALF_MAX}, the largest of half precision`,
        'use --dtype int8, or stay with f32',
      )
    }
    view.setUint16(2 * place, half, true)
  })
  return new Uint8Array(view.buffer)
}

function eightBits(
  numbers: Float32Array,
  rows: number,
): { readonly bytes: Uint8Array; readonly scales: Float32Array } {
  const width = numbers.length / rows
  const scales = Float32Array.from({ length: rows }, (_, row) => {
    const line = numbers.subarray(row * width, (row + 1) * width)
    return line.reduce((most, number) => Math.max(most, Math.abs(number)), 0) / 127
  })
  const whole = Int8Array.from(numbers, (number, place) => {
    const scale = scales[Math.floor(place / width)] ?? 0
    // A row of zeros, or one so small that its scale is not a number apart from 0, is zeros.
    if (scale === 0) return 0
    return Math.max(-127, Math.min(127, roundEven(number / scale)))
  })
  return { bytes: new Uint8Array(whole.buffer), scales }
}

function numbersOf(tensor: TensorInfo, stored: Stored, used: Set<string>): Float32Array {
  const { name, shape } = tensor
  const { kind, bytes } = take(stored, used, name, shape)
  if (kind === 'F32') return floatsOf(bytes)
  const view = viewOf(bytes)
  const length = lengthOf(tensor)
  if (kind === 'F16') {
    return Float32Array.from({ length }, (_, at) => numberOf(view.getUint16(2 * at, true)))
  }
  const [rows = 1] = shape
  const scale = take(stored, used, scaleOf(name), [rows])
  if (scale.kind !== 'F32') throw badTensor(`${scaleOf(name)} must be F32, not ${scale.kind}`)
  const scales = floatsOf(scale.bytes)
  const width = length / rows
  return Float32Array.from({ length }, (_, at) => {
    return view.getInt8(at) * (scales[Math.floor(at / width)] ?? 0)
  })
}

/** A tensor of a name, which must have this shape. */
function take(stored: Stored, used: Set<string>, name: string, shape: Sizes): StoredTensor {
  const tensor = stored.get(name)
  if (tensor === undefined) throw badTensor(`the tensor ${name} is missing`)
  const same = tensor.shape.length === shape.length
  if (!same || tensor.shape.some((size, axis) => size !== shape[axis])) {
    throw badTensor(`${name} has the shape [${tensor.shape}], not [${shape}]`)
  }
  used.add(name)
  return tensor
}
