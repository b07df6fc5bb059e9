/** `invite revoke ID`: takes an invite back. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { shortId } from '../output.js'

/** Does it. */
export async function run({ home, output }: Context, _: object, invite: string): Promise<void> {
  const done = await ControlClient.connect(home).call<{ id: string }>('invite.revoke', { invite })
  output.result(done, () => `invite ${shortId(done.id)} lets nobody in any more`)
}
