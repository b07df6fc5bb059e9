/** `dag verify`: hashes, signatures and rules of the whole history once more. */
import type { Context } from '../context.js'
import { HISTORY_LOST_HINT, SynapticError } from '../errors.js'
import { Progress } from '../progress.js'
import type { DagFault } from '../wasm.js'
import { withHistory } from './dag-open.js'

/** Faults that are printed; all of them are in JSON. */
const FAULTS_SHOWN_MAX = 20

/** Verifies; exit code 1 where anything is wrong. */
export async function run(context: Context): Promise<number> {
  const { output, signal } = context
  return withHistory(context, async (history) => {
    const faults: DagFault[] = [...history.damaged]
    let progress: Progress | undefined
    let verified = 0
    for (const { done, total, faults: found } of history.verify()) {
      verified = done
      faults.push(...found)
      progress ??= new Progress(output.stderr, 'verifying', total, output.talkative)
      progress.update(done)
      // Lets a signal through.
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    progress?.end()
    const data = { ok: faults.length === 0, vertices: verified, faults }
    if (data.ok) {
      output.result(data, (paint) => `${paint('green', 'verified')}: ${verified} vertices`)
      return 0
    }
    output.fail(failure(faults), data)
    return 1
  })
}

/** The core's name for a vertex that cannot be placed, as others that it follows are not there. */
const UNPLACED = 'store-damaged'

function failure(faults: readonly DagFault[]): SynapticError {
  const wrong = faults.filter(({ code }) => code !== UNPLACED)
  const following = faults.length - wrong.length
  const lines = wrong
    .slice(0, FAULTS_SHOWN_MAX)
    .map(({ id, code, message }) => `  ${id ?? 'a record'}: ${message} (${code})`)
  if (wrong.length > FAULTS_SHOWN_MAX) lines.push(`  and ${wrong.length - FAULTS_SHOWN_MAX} more`)
  return new SynapticError(
    'verification-failed',
    [headline(wrong.length, following), ...lines].join('\n'),
    HISTORY_LOST_HINT,
  )
}

/** What is wrong, apart from what is whole and only follows something that is not there. */
function headline(wrong: number, following: number): string {
  const many = (count: number, one: string, more: string): string =>
    `${count} ${count === 1 ? one : more}`
  const parts = [
    ...(wrong > 0
      ? [many(wrong, 'record is not what it must be', 'records are not what they must be')]
      : []),
    ...(following > 0
      ? [`${many(following, 'vertex follows', 'vertices follow')} others that are not there`]
      : []),
  ]
  return parts.join('; ')
}
