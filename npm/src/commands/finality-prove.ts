/** `finality prove ITEM`: a proof that an item is final, as a file. */
import * as path from 'node:path'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { checkAbsent, writeAtomic } from '../files.js'
import { bytesText } from '../output.js'

/** Options of `finality prove`. */
export interface ProveOptions {
  readonly output: string
  readonly force?: boolean
}

/** Writes a proof. */
export async function run(
  { home, around, output }: Context,
  options: ProveOptions,
  item: string,
): Promise<void> {
  const file = path.resolve(around.cwd, options.output)
  const client = ControlClient.connect(home)
  if (options.force !== true) checkAbsent(file)
  const proof = await client.bytes('finality.prove', { item })
  writeAtomic(file, proof)
  output.result(
    { file, bytes: proof.length },
    () => `wrote ${file} (${bytesText(proof.length)}); \`finality verify\` checks it anywhere`,
  )
}
