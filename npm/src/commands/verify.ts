/**
 * `verify`: recomputes every round of an exported run and compares bit for bit; with `--retrain`
 * also the updates of a member, from its rows.
 */
import { aggregationText } from '../aggregation.js'
import type { Context } from '../context.js'
import { SynapticError } from '../errors.js'
import { ARTEFACT_BYTES_MAX, readBounded } from '../files.js'
import { bytesText, type Paint, shortId } from '../output.js'
import { WHY_NOT } from '../run-log.js'
import { using } from '../training/rows.js'
import { loadMesh, type MeshModule, type Mismatch, type VerifyReport } from '../wasm.js'
import {
  checkOptions,
  differences,
  type RetrainOptions,
  retrain,
  retrainedLines,
} from './verify-retrain.js'

/**
 * From this size on it may take a second. The core recomputes in one go, so that nothing can be
 * said meanwhile.
 */
const NOTED_BYTES = 1_000_000
/** Members left out that are told one by one. */
const LEFT_OUT_SHOWN = 20

/** Checks a file; exit code 1 where anything was changed. */
export async function run(
  context: Context,
  options: RetrainOptions,
  file: string,
): Promise<number> {
  const { output } = context
  checkOptions(options)
  const car = readBounded(file, ARTEFACT_BYTES_MAX)
  const mesh = await loadMesh()
  if (car.length > NOTED_BYTES) output.note(`recomputing ${file} (${bytesText(car.length)})`)
  if (options.retrain === true) return runAgain(context, mesh, options, file, car)
  const report = mesh.verifyRun(car)
  if (!report.ok) return failed(context, file, report)
  output.result(dataOf(report), (paint) => linesOf(report, paint).join('\n'))
  return 0
}

/** The same, and then the updates of a member. */
function runAgain(
  context: Context,
  mesh: MeshModule,
  options: RetrainOptions,
  file: string,
  car: Uint8Array,
): Promise<number> {
  const { output } = context
  return using(mesh.Retraining.open(car), async (retraining) => {
    const report = retraining.report()
    if (!report.ok) return failed(context, file, report)
    const retrained = await retrain(context, mesh, retraining, options)
    const data = { ...dataOf(report), retrained }
    const problem = differences(retrained)
    if (problem !== null) {
      output.fail(problem, { ...data, ok: false })
      return 1
    }
    output.result(data, (paint) =>
      [...linesOf(report, paint), ...retrainedLines(retrained, paint)].join('\n'),
    )
    return 0
  })
}

function failed({ output }: Context, file: string, report: VerifyReport): number {
  output.fail(mismatchError(file, report), dataOf(report))
  return 1
}

function dataOf(report: VerifyReport) {
  const { ok, rounds, updates, aggregation, trustedRows, masking, weightsCid } = report
  const { beside, commitReveal, leftOut, firstMismatch } = report
  return {
    ok,
    rounds,
    updates,
    beside,
    aggregation,
    trustedRows,
    masking,
    commitReveal,
    leftOut,
    weightsCid,
    firstMismatch,
  }
}

function linesOf(report: VerifyReport, paint: Paint): string[] {
  const { run, name, rounds, updates, beside, aggregation } = report
  const { trustedRows, masking, weightsCid } = report
  return [
    `${paint('green', 'verified')}: ${rounds} rounds with ${updates} updates recomputed, bit for bit`,
    `run     ${name ?? ''} ${run ?? ''}`,
    `rule    ${aggregationText(aggregation, trustedRows)}`,
    ...(masking === null || rounds === 0
      ? []
      : ['masks   the sums were opened and are right; single updates cannot be seen']),
    ...promisesOf(report),
    ...(beside === 0
      ? []
      : [
          `absent  ${beside} cited vertices, whose places others of their authors have: what only they follow is not shown`,
        ]),
    `weights ${weightsCid}`,
  ]
}

/** Whose updates rounds do not have, in a run with commitments. */
function promisesOf({ commitReveal, leftOut, rounds }: VerifyReport): string[] {
  if (!commitReveal || rounds === 0) return []
  const shown = leftOut.slice(0, LEFT_OUT_SHOWN)
  const more = leftOut.length - shown.length
  return [
    'order   each update was committed to before those beside it were revealed',
    ...shown.map(
      ({ round, author, whyNot }) =>
        `without ${shortId(author)} in round ${round}: ${WHY_NOT[whyNot]}`,
    ),
    ...(more === 0 ? [] : [`without ${more} more, which --json lists`]),
  ]
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
