/**
 * The safetensors container (https://huggingface.co/docs/safetensors): eight bytes with the length
 * of a JSON header, the header, and the bytes of all tensors.
 *
 * ```text
 * 0       8              8 + N                                end of the file
 * [N: u64][header, N bytes][tensor][tensor]..[tensor]
 * header  {"__metadata__":{KEY:TEXT,..},
 *          NAME:{"dtype":"F32","shape":[..],"data_offsets":[from,to]},..}
 * ```
 *
 * Offsets count from the end of the header. Reading is total and strict: every byte belongs to one
 * tensor, and what contradicts itself is refused, as by the reference implementation.
 */
import { damaged, foreign, quoted, truncated } from './errors.js'
import { checkLength, isWhole, kindOf, objectOf, sizesOf } from './fields.js'
import { repeatedKey } from './json-keys.js'
import { KIND_BYTES, type Kind, type Stored, type StoredTensor } from './storage.js'

/** What is in a file: texts by their keys, and tensors by their names. */
export interface Container {
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: Stored
}

const LENGTH_BYTES = 8
/** The header is filled up with spaces, so that tensors begin at a multiple of it. */
const ALIGNMENT = 8
const METADATA = '__metadata__'
const OPENING = '{'.charCodeAt(0)
/** Of the reference; ours is bounded by the file long before. */
const HEADER_BYTES_MAX = 100_000_000

/** Whether bytes begin like a safetensors file; no text does. */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  const highHalf = bytes.subarray(4, LENGTH_BYTES)
  return bytes[LENGTH_BYTES] === OPENING && highHalf.every((byte) => byte === 0)
}

/** The bytes of a file. */
export function writeContainer({ metadata, tensors }: Container): Uint8Array {
  // The widest numbers come first, so that all lie at multiples of their size.
  const ordered = [...tensors].sort(([, a], [, b]) => KIND_BYTES[b.kind] - KIND_BYTES[a.kind])
  let end = 0
  const entries = ordered.map(([name, { kind, shape, bytes }]) => {
    const from = end
    end += bytes.length
    return [name, { dtype: kind, shape, data_offsets: [from, end] }]
  })
  const fields = [[METADATA, Object.fromEntries(metadata)], ...entries]
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)))
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const file = new Uint8Array(LENGTH_BYTES + length + end).fill(' '.charCodeAt(0))
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true)
  file.set(json, LENGTH_BYTES)
  let at = LENGTH_BYTES + length
  for (const [, { bytes }] of ordered) {
    file.set(bytes, at)
    at += bytes.length
  }
  return file
}

/**
 * Reads a file.
 *
 * @throws SynapticError `model-truncated`, `model-foreign`, `model-damaged`, `model-tensor`
 */
export function readContainer(file: Uint8Array): Container {
  const { header, data } = partsOf(file)
  const metadata = new Map<string, string>()
  const tensors = new Map<string, StoredTensor>()
  const places: Place[] = []
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) {
      for (const [key, text] of Object.entries(objectOf(entry, METADATA))) {
        if (typeof text !== 'string') throw damaged(`the metadata ${quoted(key)} is not a text`)
        metadata.set(key, text)
      }
      continue
    }
    const { kind, shape, place } = tensorOf(name, objectOf(entry, name), data.length)
    tensors.set(name, { kind, shape, bytes: data.subarray(place.from, place.to) })
    places.push(place)
  }
  checkPlaces(places, data.length)
  return { metadata, tensors }
}

/** Where a tensor lies among the data. */
interface Place {
  readonly name: string
  readonly from: number
  readonly to: number
}

function partsOf(file: Uint8Array): {
  readonly header: Record<string, unknown>
  readonly data: Uint8Array
} {
  if (file.length < LENGTH_BYTES) {
    throw truncated(`the file has ${file.length} bytes; a safetensors file has 8 and a header`)
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const announced = view.getBigUint64(0, true)
  const room = file.length - LENGTH_BYTES
  if (announced > BigInt(HEADER_BYTES_MAX)) {
    throw foreign(`this is not a safetensors file: its header would have ${announced} bytes`)
  }
  if (announced > BigInt(room)) {
    throw truncated(
      `the header has ${announced} bytes, and the file only ${room} behind its length`,
    )
  }
  const length = Number(announced)
  const header = headerOf(file.subarray(LENGTH_BYTES, LENGTH_BYTES + length))
  return { header, data: file.subarray(LENGTH_BYTES + length) }
}

function headerOf(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== OPENING) {
    throw foreign('this is not a safetensors file: its header does not begin with {')
  }
  let text: string
  let header: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    header = JSON.parse(text)
  } catch {
    throw foreign('this is not a safetensors file: its header is not JSON')
  }
  const key = repeatedKey(text)
  if (key !== undefined) throw damaged(`the header gives ${quoted(key)} twice`)
  return objectOf(header, 'header')
}

function tensorOf(
  name: string,
  entry: Record<string, unknown>,
  dataLength: number,
): { readonly kind: Kind; readonly shape: number[]; readonly place: Place } {
  const { dtype, shape, data_offsets: offsets, ...more } = entry
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) throw damaged(`${quoted(name)} has a field ${quoted(unknown)}`)
  const kind = kindOf(name, dtype)
  const sizes = sizesOf(name, shape)
  if (!isWhole(offsets) || offsets.length !== 2) {
    throw damaged(`the data_offsets of ${quoted(name)} are not two places`)
  }
  const [from = 0, to = 0] = offsets
  checkLength(name, kind, sizes, to - from)
  if (to > dataLength) {
    throw truncated(`${quoted(name)} ends at ${to}, and the data has ${dataLength} bytes`)
  }
  return { kind, shape: sizes, place: { name, from, to } }
}

/** Every byte of the data is one tensor's. */
function checkPlaces(places: Place[], dataLength: number): void {
  places.sort((a, b) => a.from - b.from || a.to - b.to)
  let end = 0
  for (const { name, from, to } of places) {
    if (from < end) throw damaged(`${quoted(name)} begins at ${from}, inside another tensor`)
    if (from > end) throw damaged(`the bytes ${end} to ${from} are no tensor's`)
    end = to
  }
  if (end !== dataLength) throw damaged(`the bytes from ${end} to ${dataLength} are no tensor's`)
}
