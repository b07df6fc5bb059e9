/** `group create NAME --members IDS`: a group of this node and those. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { GroupView } from '../wasm.js'
import { groupText } from './group-task.js'

/** Options of `group create`. */
export interface CreateOptions {
  readonly members: readonly string[]
}

/** Creates the group. */
export async function run(
  { home, output }: Context,
  { members }: CreateOptions,
  name: string,
): Promise<void> {
  const client = ControlClient.connect(home)
  const group = await client.call<GroupView>('group.create', { name, members })
  output.result(group, (paint) => groupText(group, paint))
}
