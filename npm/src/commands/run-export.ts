/** `run export`: the whole history of a run as one file. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { checkAbsent, writeAtomic } from '../files.js'
import { bytesText } from '../output.js'
import { patiently } from '../progress.js'

/** Writes the file. */
export async function run(
  { home, output: out }: Context,
  { output, force }: { readonly output: string; readonly force?: boolean },
  name: string,
): Promise<void> {
  const client = ControlClient.connect(home)
  if (force !== true) checkAbsent(output)
  const collect = (): Promise<Uint8Array> => client.bytes('run.export', { run: name })
  const car = await patiently(out.stderr, 'collecting the history', collect, out.talkative)
  writeAtomic(output, car)
  out.result({ run: name, output, bytes: car.length }, (paint) =>
    [
      `wrote ${output} (${bytesText(car.length)})`,
      `anybody can check it with: ${paint('cyan', `npx synaptic-mesh verify ${output}`)}`,
    ].join('\n'),
  )
}
