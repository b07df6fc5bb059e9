/** `dag verify`: hashes, signatures and rules of the whole history once more. */
import type { Context } from '../context.js'
import { SynapticError } from '../errors.js'
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

function failure(faults: readonly DagFault[]): SynapticError {
  const lines = faults
    .slice(0, FAULTS_SHOWN_MAX)
    .map(({ id, code, message }) => `  ${id ?? 'a record'}: ${message} (${code})`)
  if (faults.length > FAULTS_SHOWN_MAX) lines.push(`  and ${faults.length - FAULTS_SHOWN_MAX} more`)
  return new SynapticError(
    'verification-failed',
    [`${faults.length} vertices are not what they must be`, ...lines].join('\n'),
    'other members have them: join the network again from an empty home',
  )
}
