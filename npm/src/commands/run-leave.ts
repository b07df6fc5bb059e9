/** `run leave`: stops contributing; what was contributed stays in the history. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Leaves a run. */
export async function run(
  { home, output }: Context,
  _options: object,
  name: string,
): Promise<void> {
  const left = await ControlClient.connect(home).call('run.leave', { run: name })
  output.result(left, () => `no longer contributing to ${name}`)
}
