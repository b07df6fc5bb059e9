/** `invite list`: invites, and who entered with them. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { InviteList, InviteView } from '../invites.js'
import { columns, shortId, timeText } from '../output.js'

/** Lists them. */
export async function run({ home, output }: Context): Promise<void> {
  const list = await ControlClient.connect(home).call<InviteList>('invite.list', {})
  output.result(list, () =>
    [
      list.invites.length === 0 ? 'no invites yet' : columns(list.invites.map(row)),
      `who may invite: ${list.inviters.map(shortId).join(', ')}`,
    ].join('\n'),
  )
}

function row({ id, state, holders, made }: InviteView): string[] {
  const used = made === null ? `${holders.length} used` : `${holders.length} of ${made.uses} used`
  const until = made === null ? 'by another member' : `until ${timeText(made.untilMs)}`
  return [shortId(id), state, used, until, holders.map(shortId).join(', ')]
}
