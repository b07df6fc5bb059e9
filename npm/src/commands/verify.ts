/** `verify`: recomputes every round of an exported run and compares bit for bit. */
import { aggregationText } from '../aggregation.js'
import type { Context } from '../context.js'
import { SynapticError } from '../errors.js'
import { ARTEFACT_BYTES_MAX, readBounded } from '../files.js'
import { bytesText } from '../output.js'
import { loadMesh, type Mismatch, type VerifyReport } from '../wasm.js'

/**
 * From this size on it may take a second. The core recomputes in one go, so that nothing can be
 * said meanwhile.
 */
const NOTED_BYTES = 1_000_000

/** Checks a file; exit code 1 where anything was changed. */
export async function run({ output }: Context, _options: object, file: string): Promise<number> {
  const car = readBounded(file, ARTEFACT_BYTES_MAX)
  const mesh = await loadMesh()
  if (car.length > NOTED_BYTES) output.note(`recomputing ${file} (${bytesText(car.length)})`)
  const report = mesh.verifyRun(car)
  const { ok, rounds, updates, aggregation, weightsCid, firstMismatch } = report
  const data = { ok, rounds, updates, aggregation, weightsCid, firstMismatch }
  if (!ok) {
    output.fail(mismatchError(file, report), data)
    return 1
  }
  output.result(data, (paint) =>
    [
      `${paint('green', 'verified')}: ${rounds} rounds with ${updates} updates recomputed, bit for bit`,
      `rule    ${aggregationText(aggregation)}`,
      `weights ${weightsCid}`,
    ].join('\n'),
  )
  return 0
}

function mismatchError(file: string, { firstMismatch }: VerifyReport): SynapticError {
  if (firstMismatch !== null && isNoHistory(firstMismatch)) {
    return new SynapticError(
      'not-a-history',
      `${file}: this is not a history file`,
      'name a file that `synaptic-mesh run export` wrote',
    )
  }
  const where = firstMismatch === null ? 'its history is not complete' : placeOf(firstMismatch)
  return new SynapticError(
    'verification-failed',
    `${file} is not what its members signed: ${where}`,
    'ask for the file again, from another member if need be',
  )
}

/** A file that fails in its first bytes was never written by `run export`. */
function isNoHistory({ vertex, round, byte }: Mismatch): boolean {
  return vertex === null && round === 0 && (byte === 0 || byte === 1)
}

function placeOf({ vertex, round, byte, what }: Mismatch): string {
  const parts = [
    vertex === null ? undefined : `vertex ${vertex}`,
    round === 0 && vertex === null ? undefined : `round ${round}`,
    `byte ${byte}`,
  ]
  return `${what} (${parts.filter((part) => part !== undefined).join(', ')})`
}
