/** `group remove GROUP NODE`: one member less. */
import type { Context } from '../context.js'
import { changeMember } from './group-task.js'

/** Changes the members. */
export async function run(
  context: Context,
  _: object,
  group: string,
  member: string,
): Promise<void> {
  await changeMember(context, { group, member, joins: false })
}
