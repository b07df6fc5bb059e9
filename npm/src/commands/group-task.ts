/** What the commands of groups have in common: asking the node, and showing tasks. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, type Paint, shortId } from '../output.js'
import type { GroupView } from '../wasm.js'

/** A task whose payload is text, as the control API gives it. */
export interface PlainTask {
  readonly name: string
  readonly assignee: string | null
  readonly payload: string
  readonly state: 'open' | 'taken' | 'done'
  readonly holder: string | null
  readonly version: number
}

/** The option of changes that depend on what was seen. */
export interface VersionOptions {
  readonly ifVersion?: number
}

/** Has a task of a group changed, and prints it as it is then. */
export async function changeTask(
  { home, output }: Context,
  group: string,
  change: Readonly<Record<string, unknown>>,
): Promise<void> {
  const client = ControlClient.connect(home)
  const task = await client.call<PlainTask | null>('group.change', { ...change, group })
  output.result(task, () => (task === null ? 'done, and forgotten since' : tasksText([task])))
}

/** Has a member join or leave a group, and prints the group as it is then. */
export async function changeMember(
  { home, output }: Context,
  change: { readonly group: string; readonly member: string; readonly joins: boolean },
): Promise<void> {
  const client = ControlClient.connect(home)
  const view = await client.call<GroupView>('group.member', change)
  output.result(view, (paint) => groupText(view, paint))
}

/** Tasks as a table. */
export function tasksText(tasks: readonly PlainTask[]): string {
  const rows = tasks.map(({ name, state, holder, assignee, version, payload }) => [
    name,
    state,
    holder === null ? '' : shortId(holder),
    assignee === null ? '' : shortId(assignee),
    String(version),
    payload,
  ])
  return columns([['task', 'state', 'by', 'for', 'version', 'payload'], ...rows])
}

/** One group in a few lines. */
export function groupText(group: GroupView, paint: Paint): string {
  const { name, id, role, leader, members, tasks, term, commit } = group
  const marked = members.map((member) => `  ${member}${member === leader ? '  leader' : ''}`)
  const state = leader === null ? 'no leader' : `this node: ${role}`
  return [
    `${paint('bold', name)}  ${id}`,
    `${state}, term ${term}, ${commit} entries, ${tasks} tasks`,
    ...marked,
  ].join('\n')
}
