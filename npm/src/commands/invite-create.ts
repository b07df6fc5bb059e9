/** `invite create`: a join link that lets somebody into a permissioned network. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { given } from '../given.js'
import type { NewInvite } from '../invites.js'
import { shortId, timeText } from '../output.js'

/** Options of `invite create`. */
export interface CreateOptions {
  readonly for?: string
  readonly uses?: number
  /** Milliseconds. */
  readonly expires?: number
}

/** Makes it. */
export async function run({ home, output }: Context, options: CreateOptions): Promise<void> {
  const { for: node, uses, expires: lastsMs } = options
  const client = ControlClient.connect(home)
  const made = await client.call<NewInvite>('invite.create', given({ node, uses, lastsMs }))
  output.result(made, (paint) =>
    [
      `${paint('bold', 'invite')}  ${made.id}`,
      `${paint('bold', 'for')}     ${made.node === null ? usesText(made.uses) : shortId(made.node)}`,
      `${paint('bold', 'until')}   ${timeText(made.untilMs)}`,
      `${paint('bold', 'link')}    ${made.link}`,
      '',
      `${made.node === null ? 'Whoever has this link' : 'That node, with this link,'} may enter. It is not shown again.`,
    ].join('\n'),
  )
}

function usesText(uses: number): string {
  return uses === 1 ? 'the first who uses it' : `the first ${uses} who use it`
}
