/** `finality status`: whether there is finality, in numbers. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { Paint } from '../output.js'
import type { CommitteeView, FinalityStatus } from '../wasm.js'

/** Prints the numbers. */
export async function run({ home, output }: Context): Promise<void> {
  const client = ControlClient.connect(home)
  const status = await client.call<FinalityStatus>('finality.status')
  if (status.state === 'causal-only') {
    return output.result(status, (paint) => stateText(status, paint))
  }
  const { members } = await client.call<CommitteeView>('committee.show')
  const connected = members.filter((member) => member.self || member.connected)
  const reach = connected.reduce((sum, { weight }) => sum + weight, 0)
  output.result({ ...status, reach }, (paint) => finalityText(status, reach, paint))
}

/** `reach` is the weight of the members that this node is connected with, its own included. */
function finalityText(status: FinalityStatus, reach: number, paint: Paint): string {
  const { epoch, members, weight, quorum, votes, height, certified, finalised, pending } = status
  const facts: [string, string][] = [
    ['finality', stateText(status, paint)],
    ['committee', `${members} members of weight ${weight}; ${quorum} decide (epoch ${epoch})`],
    ['reach', `weight ${reach} is connected; others may be reached through them`],
    ['votes', votes ? 'yes, this node is a member' : 'no, this node only follows'],
    ['final', `${finalised} items; ${pending} conflict keys wait`],
    ['certified', `${certified} decisions, by ${height} checkpoints`],
  ]
  return facts.map(([name, value]) => `${paint('bold', name.padEnd(9))}  ${value}`).join('\n')
}

/** Whether there is finality, in words. */
export function stateText({ state }: Pick<FinalityStatus, 'state'>, paint: Paint): string {
  switch (state) {
    case 'quorum':
      return paint('green', 'yes')
    case 'no-quorum':
      return paint('red', 'lost: members with a third or more of the weight are out of reach')
    default:
      return 'causal only, no finality: this network began without a committee'
  }
}
