/** `group status`: the groups of this node. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { GroupView } from '../wasm.js'
import { groupText } from './group-task.js'

/** Prints them. */
export async function run({ home, output }: Context): Promise<void> {
  const groups = await ControlClient.connect(home).call<GroupView[]>('group.status')
  output.result(groups, (paint) => {
    const texts = groups.map((group) => groupText(group, paint))
    return texts.length === 0 ? 'this node is in no group' : texts.join('\n\n')
  })
}
