/** `group add GROUP NODE`: one more member. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { GroupView } from '../wasm.js'
import { groupText } from './group-task.js'

/** Changes the members. */
export async function run(
  { home, output }: Context,
  _: object,
  group: string,
  member: string,
): Promise<void> {
  const client = ControlClient.connect(home)
  const view = await client.call<GroupView>('group.member', { group, member, joins: true })
  output.result(view, (paint) => groupText(view, paint))
}
