/** Why a file is not a model, with the codes that the core has for its own files. */
import { SynapticError } from '../errors.js'

/** Bytes of the largest model file: the core's bound on its own, which no other form exceeds. */
export const MODEL_BYTES_MAX = 128 << 20

/** What a file says it is, in both of our forms. */
export const FORMAT = 'synaptic-mesh-model'

const AGAIN = 'copy the file again from where it came'

/** A file that no model fills. */
export function tooLarge(found: number): SynapticError {
  const message = `the file has ${found} bytes; the largest model has ${MODEL_BYTES_MAX}`
  return new SynapticError('model-too-large', message, 'is it the right file?')
}

/** The file ends before what it announces. */
export function truncated(message: string): SynapticError {
  return new SynapticError('model-truncated', message, AGAIN)
}

/** Another kind of file. */
export function foreign(message: string): SynapticError {
  const hint = "pass a file that was written by 'neural create', 'train' or 'convert'"
  return new SynapticError('model-foreign', message, hint)
}

/** A file of the right kind that contradicts itself. */
export function damaged(message: string, hint = AGAIN): SynapticError {
  return new SynapticError('model-damaged', message, hint)
}

/** A tensor that the network does not have, or has otherwise. */
export function badTensor(message: string): SynapticError {
  const hint = 'names and shapes follow from the specification: see docs/formats.md'
  return new SynapticError('model-tensor', message, hint)
}

/** A version that this program does not know. */
export function badVersion(version: unknown): SynapticError {
  const hint = 'update the program, or make the model again'
  return new SynapticError('model-version', `version ${version} of the file is not known`, hint)
}

/** Text of a file as it is repeated in a message: short, and on one line. */
export function quoted(text: string): string {
  const start = text.slice(0, 60)
  return JSON.stringify(start.length < text.length ? `${start}...` : start)
}
