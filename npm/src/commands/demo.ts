/** `demo`: the whole thing on one machine, in a few minutes. */
import type { Context } from '../context.js'
import { type DemoResult, demo, type LiarsResult } from '../demo/demo.js'
import { SynapticError } from '../errors.js'
import { columns, type Paint, percent, shortId } from '../output.js'
import { RUN_DEFAULTS } from '../run-options.js'

/** Options of `demo`. */
export interface DemoCommandOptions {
  readonly members: number
  readonly rounds?: number
  readonly alpha: number
  readonly tab: boolean
  readonly keep?: boolean
  readonly timeout: number
  readonly seed?: bigint
}

/** Instead of the second act. */
const TOO_FEW = 'Nobody lied: too few members stayed. With --members 6 or more one of them does.'

/** It ends in order when it is interrupted. */
export const endsItself = true

/** Runs the demo. */
export async function run(context: Context, options: DemoCommandOptions): Promise<number> {
  const result = await demo(context, {
    members: options.members,
    rounds: options.rounds ?? RUN_DEFAULTS.rounds,
    alpha: options.alpha,
    seed: options.seed ?? 1n,
    tab: options.tab,
    keep: options.keep ?? false,
    timeoutMs: options.timeout * 1_000,
  })
  if (!result.verified) {
    const error = new SynapticError(
      'verification-failed',
      `the history does not give the weights it names: ${result.log}`,
      `run \`synaptic-mesh verify ${result.log}\` to see where`,
    )
    context.output.fail(error, result)
    return 1
  }
  if (!result.flipped.found) {
    const error = new SynapticError(
      'verification-failed',
      `a changed bit of byte ${result.flipped.offset} was not found in ${result.log}`,
      'this is a defect: report it',
    )
    context.output.fail(error, result)
    return 1
  }
  context.output.result(result, (paint) => resultText(result, paint))
  return 0
}

function resultText(result: DemoResult, paint: Paint): string {
  const { members, accuracyAloneMean, accuracyTogether, rounds, founderLeftAtRound, log } = result
  const { flipped, liars } = result
  const rows = members.map(({ nodeId, kind, samples, accuracyAlone }, index) => [
    index === 0 ? 'founder' : kind,
    shortId(nodeId),
    String(samples),
    percent(accuracyAlone),
  ])
  return [
    columns([['member', 'id', 'rows', 'alone'], ...rows]),
    '',
    `alone, on average   ${percent(accuracyAloneMean)}`,
    `together            ${paint('green', percent(accuracyTogether))}`,
    '',
    `${rounds} rounds; the founder's process was killed after round ${founderLeftAtRound}.`,
    'Every round was recomputed from the signed history, bit for bit:',
    `  ${paint('cyan', `synaptic-mesh verify ${log}`)}`,
    `One bit of its byte ${flipped.offset} changed: ${flipped.what}.`,
    '',
    ...(liars === null ? [TOO_FEW] : liarsLines(liars, paint)),
  ].join('\n')
}

function liarsLines(told: LiarsResult, paint: Paint): string[] {
  const { liars, members, rounds, accuracyMean, accuracyRule, rule } = told
  return [
    `Then ${liars} of ${members} members sent their updates turned round and ten times as long,`,
    `in ${rounds} rounds on rows divided evenly:`,
    columns([
      ['  mean of all updates', paint('red', percent(accuracyMean))],
      [`  ${rule} (default)`, paint('green', percent(accuracyRule))],
    ]),
  ]
}
