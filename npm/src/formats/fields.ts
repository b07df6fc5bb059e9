/** Fields of tensors in the JSON of files, checked: what is wrong with one names the tensor. */
import { badTensor, damaged, quoted } from './errors.js'
import { KIND_BYTES, type Kind } from './storage.js'

/** @throws SynapticError `model-damaged` */
export function objectOf(value: unknown, name: string): Record<string, unknown> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (isObject) return value as Record<string, unknown>
  throw damaged(`${quoted(name)} is not an object`)
}

/** @throws SynapticError `model-tensor` */
export function kindOf(name: string, dtype: unknown): Kind {
  if (typeof dtype === 'string' && Object.hasOwn(KIND_BYTES, dtype)) return dtype as Kind
  const found = typeof dtype === 'string' ? quoted(dtype) : 'that is no text'
  throw badTensor(`${quoted(name)} has a dtype ${found}; F32, F16 and I8 are read`)
}

/** @throws SynapticError `model-damaged` */
export function sizesOf(name: string, shape: unknown): number[] {
  if (isWhole(shape)) return shape
  throw damaged(`the shape of ${quoted(name)} is not a list of sizes`)
}

/**
 * Checks that a tensor has as many bytes as its shape says.
 *
 * @throws SynapticError `model-damaged`
 */
export function checkLength(name: string, kind: Kind, shape: number[], found: number): void {
  const bytes = shape.reduce((all, size) => all * size, KIND_BYTES[kind])
  // A product beyond 2^53 is rounded, or infinite, or no number where 0 follows: none is a length.
  if (Number.isSafeInteger(bytes) && bytes === found) return
  throw damaged(`${quoted(name)} has ${found} bytes, and its shape [${shape}] needs ${bytes}`)
}

/** Whether it is a list of whole numbers, 0 or more. */
export function isWhole(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0)
}
