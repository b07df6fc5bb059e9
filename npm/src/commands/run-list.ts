/** `run list`: every run of the mesh. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { RunView } from '../wasm.js'
import { runsText } from './status.js'

/** Lists the runs. */
export async function run({ home, output }: Context): Promise<void> {
  const runs = await ControlClient.connect(home).call<RunView[]>('run.list')
  output.result(runs, () => (runs.length === 0 ? 'no run has been started yet' : runsText(runs)))
}
