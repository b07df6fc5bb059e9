/**
 * A model apart from any file: what every form of file is made from and read into.
 *
 * The core alone decides what a model may be. What is read here goes through it, as the JSON file
 * that it would have written itself.
 */
import { toSynapticError } from '../errors.js'
import type { Column, Network, NeuralModule, Specification, Task } from '../wasm.js'
import { damaged, FORMAT } from './errors.js'
import { bytesOf, type Dtype, restore, type Stored, store } from './storage.js'

/** A scaling in JSON. */
export interface PlainScaling {
  readonly offset: readonly number[]
  readonly scale: readonly number[]
}

/** What belongs to a network besides its parameters, as it is in JSON. */
export interface Description {
  readonly specification: Specification
  /** Null before the first training. */
  readonly task: Task | null
  /** In the order of the outputs; none for numbers. */
  readonly classes: readonly string[]
  /** Of the inputs: `(raw - offset) * scale`. */
  readonly scaling: PlainScaling | null
  /** Of the targets of a regression. */
  readonly targetScaling: PlainScaling | null
  /** Of the tables it was trained on; none where it was trained on numbers alone. */
  readonly columns: readonly Column[]
}

/** A model with its parameters in canonical order. */
export interface Model {
  readonly description: Description
  readonly weights: Float32Array
}

/** The model of a network. */
export function modelOf(network: Network): Model {
  const file = JSON.parse(new TextDecoder().decode(network.toModel()))
  const { specification, task, classes, scaling, targetScaling, columns = [] } = file
  const description = { specification, task, classes, scaling, targetScaling, columns }
  return { description, weights: network.weights() }
}

/** What a file of tensors holds of a network; the content id is that of what comes back. */
export function storedOf(
  neural: NeuralModule,
  network: Network,
  dtype: Dtype,
): {
  readonly description: Description
  readonly tensors: Stored
  readonly weightsCid: string
} {
  const { description, weights } = modelOf(network)
  const tensors = store(description.specification, weights, dtype)
  const back = restore(description.specification, tensors)
  return { description, tensors, weightsCid: neural.weightsCid(bytesOf(back)) }
}

/**
 * The network of what a file of tensors holds. `weightsCid` is what the file says about its
 * parameters, if it says anything.
 *
 * @throws SynapticError `model-*` and others of the core
 */
export function networkOfTensors(
  neural: NeuralModule,
  description: Readonly<Record<keyof Description, unknown>>,
  tensors: Stored,
  weightsCid: string | undefined,
): Network {
  const specification = checkedSpecification(neural, description.specification)
  const bytes = bytesOf(restore(specification, tensors))
  const found = neural.weightsCid(bytes)
  if (weightsCid !== undefined && weightsCid !== found) {
    throw damaged(
      `the weights are not those of the file's weightsCid: they hash to ${found}`,
      'copy the file again from where it came; if they were changed on purpose, leave it out',
    )
  }
  const { task, classes, scaling, targetScaling, columns } = description
  const file = {
    ...{ format: FORMAT, version: 1, specification, task, classes, scaling, targetScaling },
    ...{ columns, weights: base64Of(bytes), weightsCid: found },
  }
  return neural.Network.fromModel(new TextEncoder().encode(JSON.stringify(file)))
}

/** The specification as the core takes it: its bounds hold for all sizes that follow from it. */
function checkedSpecification(neural: NeuralModule, specification: unknown): Specification {
  let network: Network | undefined
  try {
    // The core says what is wrong with whatever this is.
    // A file may hold what was made with force: that was decided when it was made.
    network = neural.Network.create(specification as Specification, 0n, true)
    return network.specification
  } catch (thrown) {
    const { code, message } = toSynapticError(thrown)
    throw code === 'bad-argument' ? damaged(`the file has no specification: ${message}`) : thrown
  } finally {
    network?.free()
  }
}

/** RFC 4648 section 4, with padding. */
export function base64Of(bytes: Uint8Array): string {
  const characters = new Array<string>(bytes.length)
  bytes.forEach((byte, place) => {
    characters[place] = String.fromCharCode(byte)
  })
  return btoa(characters.join(''))
}

/** The bytes of base64; undefined if it is none. */
export function bytesOfBase64(text: string): Uint8Array | undefined {
  // `atob` also takes white space and text without padding, which nothing here writes.
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/=]/.test(text)) return undefined
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
