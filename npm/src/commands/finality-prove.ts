/** `finality prove ITEM`: a proof that an item is final, as a file. */
import * as path from 'node:path'
import type { Travelled } from '../anonymous.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { checkAbsent, writeAtomic } from '../files.js'
import { bytesText } from '../output.js'

/** Options of `finality prove`. */
export interface ProveOptions {
  readonly output: string
  readonly force?: boolean
  readonly anonymous?: boolean
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
  const { proof, way } = await proven(client, item, options.anonymous === true)
  writeAtomic(file, proof)
  const written = `wrote ${file} (${bytesText(proof.length)}); \`finality verify\` checks it anywhere`
  output.result({ file, bytes: proof.length, ...way }, () =>
    way === undefined ? written : `${written}\n${travelText(way)}`,
  )
}

async function proven(
  client: ControlClient,
  item: string,
  anonymous: boolean,
): Promise<{ proof: Uint8Array; way?: Travelled }> {
  if (!anonymous) return { proof: await client.bytes('finality.prove', { item }) }
  const found = await client.call<Travelled & { proof: string }>('anonymous.prove', { item }, 0)
  const { proof, ...way } = found
  return { proof: Buffer.from(proof, 'base64'), way }
}

/** How a question travelled, in words. */
export function travelText({ relays, exits, ms }: Travelled): string {
  const who = exits === 1 ? 'one that answered' : `${exits} that answered alike`
  return `asked over ${relays} relays, ${who}, in ${ms} ms (experimental)`
}
