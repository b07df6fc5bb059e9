/** `finality status`: whether there is finality, in numbers. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { NodeStatus } from '../node.js'
import type { Paint } from '../output.js'
import type { CommitteeView, FinalityStatus, SamplingStatus } from '../wasm.js'

/** Prints the numbers. */
export async function run({ home, output }: Context): Promise<void> {
  const client = ControlClient.connect(home)
  const status = await client.call<FinalityStatus>('finality.status')
  if (status.state === 'causal-only') {
    return output.result(status, (paint) => stateText(status, paint))
  }
  const { members } = await client.call<CommitteeView>('committee.show')
  const inReach = members.filter((member) => member.self || member.connected)
  const reach = inReach.reduce((sum, { weight }) => sum + weight, 0)
  const { peers } = await client.call<NodeStatus>('status')
  output.result({ ...status, reach }, (paint) => finalityText(status, reach, peers.length, paint))
}

/** `reach` is the weight of the members that this node is connected with, its own included. */
function finalityText(
  status: FinalityStatus,
  reach: number,
  connected: number,
  paint: Paint,
): string {
  if (status.sampling !== null) {
    return facts(sampledFacts(status, status.sampling, reach, paint), paint)
  }
  const { epoch, members, weight, quorum, votes, height, certified, finalised, pending } = status
  const known: [string, string][] = [
    ['finality', stateText(status, paint)],
    ['committee', `${members} members of weight ${weight}; ${quorum} decide (epoch ${epoch})`],
    ['reach', reachText(reach, connected)],
    ['votes', votes ? 'yes, this node is a member' : 'no, this node only follows'],
    ['final', `${finalised} items; ${pending} conflict keys wait`],
    ['certified', `${certified} decisions, by ${height} checkpoints`],
  ]
  return facts(known, paint)
}

/** Without a peer nothing new becomes final, which is noticed only when something waits. */
function reachText(reach: number, connected: number): string {
  return connected === 0
    ? 'nobody is connected: what is shown may be old, and nothing new becomes final'
    : `weight ${reach} is connected; others may be reached through them`
}

function sampledFacts(
  status: FinalityStatus,
  sampling: SamplingStatus,
  reach: number,
  paint: Paint,
): [string, string][] {
  const { members, weight, quorum, votes, finalised, pending } = status
  const { k, alphaConfidence, beta, concurrent, polls, confidence } = sampling
  const least = confidence === null ? '' : `, at ${confidence} of ${beta} polls or more`
  return [
    ['finality', stateText(status, paint)],
    ['engine', `qr-avalanche: ${alphaConfidence} of ${k} seats, ${beta} polls in a row`],
    ['members', `${members} of weight ${weight}, ${reach} connected; ${quorum} have to be`],
    ['votes', votes ? 'yes, this node is a member' : 'no, this node only asks'],
    ['final', `${finalised} items; ${pending} conflict keys wait${least}`],
    ['polls', `${polls} by this node, ${concurrent} of a key at once`],
  ]
}

function facts(known: [string, string][], paint: Paint): string {
  return known.map(([name, value]) => `${paint('bold', name.padEnd(9))}  ${value}`).join('\n')
}

/** Whether there is finality, in words. */
export function stateText(
  { state, engine }: Pick<FinalityStatus, 'state' | 'engine'>,
  paint: Paint,
): string {
  switch (state) {
    case 'quorum':
      return paint('green', 'yes')
    case 'sampled':
      return paint('green', 'yes, probable: by sampling, without proofs')
    case 'no-quorum': {
      const share = engine === 'qr-avalanche' ? 'a quarter' : 'a third'
      return paint('red', `lost: members with ${share} or more of the weight are out of reach`)
    }
    default:
      return 'causal only, no finality: this network began without a committee'
  }
}
