/** `finality status`: whether there is finality, in numbers. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { Paint } from '../output.js'
import type { FinalityStatus } from '../wasm.js'

/** Prints the numbers. */
export async function run({ home, output }: Context): Promise<void> {
  const status = await ControlClient.connect(home).call<FinalityStatus>('finality.status')
  output.result(status, (paint) => finalityText(status, paint))
}

function finalityText(status: FinalityStatus, paint: Paint): string {
  if (status.state === 'causal-only') return stateText(status, paint)
  const { epoch, members, weight, quorum, votes, height, certified, finalised, pending } = status
  const facts: [string, string][] = [
    ['finality', stateText(status, paint)],
    ['committee', `${members} members of weight ${weight}; ${quorum} decide (epoch ${epoch})`],
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
