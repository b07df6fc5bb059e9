/**
 * The project's own model file: one JSON object. Version 1, with the parameters as one blob of
 * `f32`, is the core's. Version 2 has tensors like a safetensors file instead of the blob, in half
 * precision or eight bits:
 *
 * ```json
 * {"format":"synaptic-mesh-model","version":2,"specification":{..},"task":..,"classes":[..],
 *  "scaling":..,"targetScaling":..,"columns":[..],"weightsCid":"bafkr4i...",
 *  "tensors":{"layers.0.weight":{"dtype":"I8","shape":[10,64],"data":"<base64>"},..}}
 * ```
 *
 * `weightsCid` is the content id of the parameters as they come back, so that a file that was
 * changed is noticed.
 */
import type { Network, NeuralModule } from '../wasm.js'
import { badVersion, damaged, FORMAT, foreign, quoted } from './errors.js'
import { checkLength, kindOf, objectOf, sizesOf } from './fields.js'
import { repeatedKey } from './json-keys.js'
import { base64Of, bytesOfBase64, networkOfTensors, storedOf } from './model.js'
import type { Dtype, StoredTensor } from './storage.js'

const VERSION_COMPACT = 2
const FIELDS = [
  'format',
  'version',
  'specification',
  'task',
  'classes',
  'scaling',
  'targetScaling',
  'columns',
  'weightsCid',
  'tensors',
]

/**
 * The network of a file of either version.
 *
 * @throws SynapticError `model-*` and others of the core
 */
export function readJson(neural: NeuralModule, file: Uint8Array): Network {
  try {
    return neural.Network.fromModel(file)
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code !== 'model-version') throw thrown
    return readCompact(neural, file)
  }
}

/** A file: of version 1 for `f32`, which the core alone reads too, else of version 2. */
export function writeJson(neural: NeuralModule, network: Network, dtype: Dtype): Uint8Array {
  if (dtype === 'f32') return network.toModel()
  const { description, tensors, weightsCid } = storedOf(neural, network, dtype)
  const plain = [...tensors].map(([name, { kind, shape, bytes }]) => {
    return [name, { dtype: kind, shape, data: base64Of(bytes) }]
  })
  const head = { format: FORMAT, version: VERSION_COMPACT }
  const file = { ...head, ...description, weightsCid, tensors: Object.fromEntries(plain) }
  return new TextEncoder().encode(JSON.stringify(file))
}

function readCompact(neural: NeuralModule, bytes: Uint8Array): Network {
  // The core has parsed it: it is UTF-8, and the JSON of an object.
  const text = new TextDecoder().decode(bytes)
  const file: Record<string, unknown> = JSON.parse(text)
  if (file.version !== VERSION_COMPACT) throw badVersion(file.version)
  const repeated = repeatedKey(text)
  if (repeated !== undefined) throw damaged(`the file gives ${quoted(repeated)} twice`)
  const unknown = Object.keys(file).find((key) => !FIELDS.includes(key))
  if (unknown !== undefined) throw foreign(`the model file has a field ${quoted(unknown)}`)
  const { specification, task, classes, scaling, targetScaling, columns = [], weightsCid } = file
  const description = { specification, task, classes, scaling, targetScaling, columns }
  const tensors = Object.entries(objectOf(file.tensors, 'tensors')).map(
    ([name, tensor]): [string, StoredTensor] => [name, tensorOf(name, objectOf(tensor, name))],
  )
  if (typeof weightsCid !== 'string') throw damaged("the model file's weightsCid is not a text")
  return networkOfTensors(neural, description, new Map(tensors), weightsCid)
}

function tensorOf(name: string, { dtype, shape, data }: Record<string, unknown>): StoredTensor {
  const kind = kindOf(name, dtype)
  const sizes = sizesOf(name, shape)
  const bytes = typeof data === 'string' ? bytesOfBase64(data) : undefined
  if (bytes === undefined) throw damaged(`the data of ${quoted(name)} is not base64`)
  checkLength(name, kind, sizes, bytes.length)
  return { kind, shape: sizes, bytes }
}
