/** `message send NODE TEXT`: a message that only that node can read. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { shortId } from '../output.js'
import type { SealedMessage } from '../wasm.js'

/** Seals and writes it. */
export async function run(
  { home, output }: Context,
  _: object,
  to: string,
  text: string,
): Promise<void> {
  const client = ControlClient.connect(home)
  const sent = await client.call<SealedMessage>('message.send', { to, text })
  output.result(
    sent,
    (paint) => `${paint('bold', 'sealed')}  for ${shortId(sent.to)}, written: ${sent.id}`,
  )
}
