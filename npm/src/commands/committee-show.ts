/** `committee show`: who decides, and whom some of them want next. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, type Paint } from '../output.js'
import type { CommitteeView } from '../wasm.js'

/** Prints the committee. */
export async function run({ home, output }: Context): Promise<void> {
  const view = await ControlClient.connect(home).call<CommitteeView>('committee.show')
  output.result(view, (paint) => committeeText(view, paint))
}

function committeeText(view: CommitteeView, paint: Paint): string {
  const { epoch, weight, quorum, members, proposals } = view
  const rows = members.map(({ id, weight, self, connected }) => [
    id,
    String(weight),
    self ? 'this node' : connected ? 'connected' : 'not connected',
  ])
  const parts = [
    `${paint('bold', `epoch ${epoch}`)}: ${quorum} of weight ${weight} decide`,
    columns([['member', 'weight', 'state'], ...rows]),
  ]
  for (const proposal of proposals) {
    const next = proposal.members.map(({ id, weight }) => (weight === 1 ? id : `${id}:${weight}`))
    parts.push(
      `proposed by weight ${proposal.weight} of the ${quorum} it takes:\n  ${next.join(',')}`,
    )
  }
  return parts.join('\n\n')
}
