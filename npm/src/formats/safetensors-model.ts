/**
 * A model in a safetensors file: its parameters are the tensors, and the rest is metadata.
 *
 * | key | text |
 * |---|---|
 * | `format`, `version` | "synaptic-mesh-model", "1" |
 * | `specification`, `classes`, `scaling`, `targetScaling`, `columns` | JSON, as in our own files |
 * | `task` | "classification", "regression" or "reconstruction" |
 * | `weightsCid` | the content id of the parameters as they come back |
 *
 * What a model does not have is left out, and so may `weightsCid` be. Other keys are passed over.
 */
import type { Network, NeuralModule } from '../wasm.js'
import { badVersion, damaged, FORMAT, foreign, MODEL_BYTES_MAX, tooLarge } from './errors.js'
import { repeatedKey } from './json-keys.js'
import { networkOfTensors, storedOf } from './model.js'
import { readContainer, writeContainer } from './safetensors.js'
import type { Dtype } from './storage.js'

const VERSION = '1'

/**
 * The network of a file.
 *
 * @throws SynapticError `model-*` and others of the core
 */
export function readSafetensors(neural: NeuralModule, file: Uint8Array): Network {
  if (file.length > MODEL_BYTES_MAX) throw tooLarge(file.length)
  const { metadata, tensors } = readContainer(file)
  if (metadata.get('format') !== FORMAT) {
    throw foreign(`the safetensors file has no metadata "format" of "${FORMAT}"`)
  }
  if (metadata.get('version') !== VERSION) throw badVersion(metadata.get('version'))
  const description = {
    specification: jsonOf(metadata, 'specification'),
    task: metadata.get('task') ?? null,
    classes: jsonOf(metadata, 'classes') ?? [],
    scaling: jsonOf(metadata, 'scaling') ?? null,
    targetScaling: jsonOf(metadata, 'targetScaling') ?? null,
    columns: jsonOf(metadata, 'columns') ?? [],
  }
  return networkOfTensors(neural, description, tensors, metadata.get('weightsCid'))
}

/** The file of a network. */
export function writeSafetensors(neural: NeuralModule, network: Network, dtype: Dtype): Uint8Array {
  const { description, tensors, weightsCid } = storedOf(neural, network, dtype)
  const { specification, task, classes, scaling, targetScaling, columns } = description
  const metadata = new Map([
    ['format', FORMAT],
    ['version', VERSION],
    ['specification', JSON.stringify(specification)],
    ['weightsCid', weightsCid],
  ])
  if (task !== null) metadata.set('task', task)
  if (classes.length > 0) metadata.set('classes', JSON.stringify(classes))
  if (scaling !== null) metadata.set('scaling', JSON.stringify(scaling))
  if (targetScaling !== null) metadata.set('targetScaling', JSON.stringify(targetScaling))
  if (columns.length > 0) metadata.set('columns', JSON.stringify(columns))
  return writeContainer({ metadata, tensors })
}

/** A text that is JSON; null if there is none. */
function jsonOf(metadata: ReadonlyMap<string, string>, key: string): unknown {
  const text = metadata.get(key)
  if (text === undefined) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw damaged(`the metadata "${key}" is not JSON`)
  }
  if (repeatedKey(text) !== undefined) throw damaged(`the metadata "${key}" gives a key twice`)
  return value
}
