/** `committee propose MEMBERS`: what this member says about who decides next. */
import { InvalidArgumentError } from 'commander'
import { committee } from '../arguments.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import type { CommitteeMember, ItemView } from '../wasm.js'

/** Proposes a committee. */
export async function run({ home, output }: Context, _: object, text: string): Promise<void> {
  const members = readMembers(text)
  const view = await ControlClient.connect(home).call<ItemView>('committee.propose', { members })
  output.result(view, (paint) =>
    [
      `${paint('bold', 'proposed')}  ${view.item}`,
      'It is put to the vote when members that weigh a quorum have proposed the same.',
    ].join('\n'),
  )
}

function readMembers(text: string): CommitteeMember[] {
  try {
    return committee(text)
  } catch (thrown) {
    if (thrown instanceof InvalidArgumentError) throw usageError(thrown.message)
    throw thrown
  }
}
