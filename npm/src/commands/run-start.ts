/** `run start`: a new run with this node as its first member. */
import * as path from 'node:path'
import { aggregationText, type RuleChoice } from '../aggregation.js'
import { ControlClient } from '../client.js'
import { type CompressionChoice, compressionText } from '../compression.js'
import type { Context } from '../context.js'
import { commandFor } from '../home.js'
import { maskingText } from '../masking.js'
import { privacyText } from '../privacy.js'
import type { Score } from '../training/protocol.js'
import type { Activation, RunView, Task } from '../wasm.js'
import { columnOf } from './column.js'
import { scoreText } from './event-text.js'
import { withRowsProgress } from './rows-progress.js'

/** Options that say which rows a member has. */
export interface RowsOptions {
  readonly data: string
  readonly test?: string
  readonly label?: string
  readonly alone?: boolean
}

/** Options of `run start`. */
export interface RunStartOptions extends RowsOptions {
  readonly layers: readonly number[]
  readonly activation: Activation
  readonly task?: Task
  readonly classes?: readonly string[]
  readonly range?: readonly [number, number]
  readonly rounds: number
  readonly epochs: number
  readonly batch: number
  readonly lr: number
  readonly momentum: number
  readonly serverMomentum: number
  readonly workerMomentum: number
  readonly quorum?: number
  readonly minUpdates?: number
  readonly rule?: RuleChoice
  readonly byzantine?: number
  readonly radius?: number
  readonly mixing?: boolean
  readonly reference?: string
  readonly compression?: CompressionChoice
  readonly keep?: number
  readonly secureAggregation?: boolean
  readonly commitReveal?: boolean
  readonly noise?: number
  readonly clip?: number
  readonly delta?: number
  readonly deadline: number
  readonly seed?: bigint
}

/** What `run start` and `run join` print. */
export interface Joined extends RunView {
  readonly samples: number
  readonly alone: Score | null
}

/** What members of a run with commitments are told. */
export const COMMITTED = 'once all have committed to theirs'

/** Starts the run. */
export async function run(context: Context, options: RunStartOptions, name: string): Promise<void> {
  const client = ControlClient.connect(context.home)
  const { layers, activation, task, classes, range, rounds, epochs, batch, momentum } = options
  const body = {
    ...rowsBody(context, options),
    ...{ name, layers, activation, task, classes, range, rounds, epochs, batch, momentum },
    learningRate: options.lr,
    serverMomentum: options.serverMomentum,
    workerMomentum: options.workerMomentum,
    quorum: options.quorum,
    updatesMin: options.minUpdates,
    rule: options.rule,
    byzantine: options.byzantine,
    radius: options.radius,
    mixing: options.mixing,
    reference:
      options.reference === undefined
        ? undefined
        : path.resolve(context.around.cwd, options.reference),
    compression: options.compression,
    keep: options.keep,
    secureAggregation: options.secureAggregation,
    commitReveal: options.commitReveal,
    noise: options.noise,
    clip: options.clip,
    delta: options.delta,
    deadlineMs: Math.round(options.deadline * 1_000),
    seed: (options.seed ?? 1n).toString(),
  }
  const joined = await withRowsProgress(context, client, options, 'reading the rows', () =>
    client.call<Joined>('run.start', body, 0),
  )
  context.output.result(joined, (paint) =>
    [
      `started run ${paint('bold', name)} with ${joined.samples} rows of yours`,
      ...aloneLines(joined),
      `updates become one by: ${aggregationText(joined.aggregation, joined.trustedRows)}`,
      `updates are sent:      ${compressionText(joined.compression)}`,
      `single updates see:    ${maskingText(joined.masking)}`,
      ...(joined.commitReveal ? [`updates are shown:     ${COMMITTED}`] : []),
      `rows in updates are:   ${privacyText(joined.privacy)}`,
      `others take part with: ${paint('cyan', `synaptic-mesh run join ${name} --data their.csv`)}`,
      `watch it with:         ${paint('cyan', commandFor(`run watch ${name}`, context.home))}`,
    ].join('\n'),
  )
}

/** Rows as the control API takes them: the node has another working directory. */
export function rowsBody({ around }: Context, { data, test, label, alone }: RowsOptions): object {
  return {
    data: path.resolve(around.cwd, data),
    test: test === undefined ? undefined : path.resolve(around.cwd, test),
    label: label === undefined ? undefined : columnOf(label),
    alone,
  }
}

/** A line about the training alone, where there was one. */
export function aloneLines({ alone }: Joined): string[] {
  return alone === null ? [] : [`alone, on your rows only: ${scoreText(alone)}`]
}
