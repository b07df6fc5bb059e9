/**
 * How the updates of a run are compressed: what users give, completed and checked.
 *
 * `sign`, `int2`, `int4` and `int8` are the bits of each value; `keep` leaves the largest values
 * only. What an update loses, its member adds to the next one. `docs/learning.md` has what each
 * takes and costs.
 */
import { usageError } from './errors.js'
import type { Compression } from './wasm.js'

const BITS = { sign: 1, int2: 2, int4: 4, int8: 8 } as const

/** What `--compression` takes. */
export type CompressionChoice = 'none' | keyof typeof BITS
export const COMPRESSION_CHOICES = ['none', ...Object.keys(BITS)] as readonly CompressionChoice[]

/** Values kept of a hundred, the fewest: one of a million. */
export const KEEP_PERCENT_MIN = 1e-4
const PER_PERCENT = 10_000

/** How updates are compressed, as users give it. */
export interface CompressionRequest {
  /** Bits of each value; `none` unless given, `int8` where `keep` is. */
  readonly compression?: CompressionChoice
  /** Percent of the values that are sent, the largest; all unless given. */
  readonly keep?: number
}

/** The compression of a run, nothing for none. */
export function completeCompression({
  compression,
  keep,
}: CompressionRequest): Compression | undefined {
  const chosen = compression ?? (keep === undefined ? 'none' : 'int8')
  if (!COMPRESSION_CHOICES.includes(chosen)) {
    throw usageError(`there is no compression "${chosen}"`, `use ${COMPRESSION_CHOICES.join(', ')}`)
  }
  if (keep !== undefined && !(keep >= KEEP_PERCENT_MIN && keep <= 100)) {
    throw usageError(`keep is ${keep}`, `give a percentage from ${KEEP_PERCENT_MIN} to 100`)
  }
  if (chosen === 'none') {
    if (keep === undefined) return undefined
    throw usageError('updates that are not compressed are sent whole', 'leave --keep out')
  }
  return { bits: BITS[chosen], keep: Math.round((keep ?? 100) * PER_PERCENT) }
}

/** How updates are sent, for people. */
export function compressionText(compression: Compression | null): string {
  if (compression === null) return 'whole'
  const { bits, keep } = compression
  const kept = keep === 100 * PER_PERCENT ? 'all values' : `the largest ${keep / PER_PERCENT} %`
  return `${kept}, ${bits === 1 ? 'their signs' : `${bits} bits each`}`
}
