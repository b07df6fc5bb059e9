/** `run join`: contributes to a run of the mesh. */
import type { Attack } from '../attack.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { commandFor } from '../home.js'
import { maskingText } from '../masking.js'
import { privacyText } from '../privacy.js'
import { withRowsProgress } from './rows-progress.js'
import { aloneLines, COMMITTED, type Joined, type RowsOptions, rowsBody } from './run-start.js'

/** Options of `run join`. */
interface RunJoinOptions extends RowsOptions {
  readonly attack?: Attack
}

/** Takes part. */
export async function run(context: Context, options: RunJoinOptions, name: string): Promise<void> {
  const client = ControlClient.connect(context.home)
  const { attack } = options
  const body = { run: name, ...rowsBody(context, options), attack }
  const what = `waiting for run ${name}, then reading the rows`
  const joined = await withRowsProgress(context, client, options, what, () =>
    client.call<Joined>('run.join', body, 0),
  )
  context.output.result(joined, (paint) =>
    [
      `contributing ${joined.samples} rows to run ${paint('bold', joined.name)}`,
      ...aloneLines(joined),
      ...(attack === undefined ? [] : [`what is sent lies:   ${attack}, for an experiment`]),
      `single updates see:  ${maskingText(joined.masking)}`,
      ...(joined.commitReveal ? [`updates are shown:   ${COMMITTED}`] : []),
      `rows in updates are: ${privacyText(joined.privacy)}`,
      `watch it with: ${paint('cyan', commandFor(`run watch ${joined.name}`, context.home))}`,
    ].join('\n'),
  )
}
