/** `group assign GROUP TASK`: a new task, for one member or for whoever takes it. */
import type { Context } from '../context.js'
import { changeTask } from './group-task.js'

/** Options of `group assign`. */
export interface AssignOptions {
  readonly to?: string
  readonly payload?: string
}

/** Assigns the task. */
export async function run(
  context: Context,
  { to, payload }: AssignOptions,
  group: string,
  task: string,
): Promise<void> {
  await changeTask(context, group, { kind: 'assign', task, assignee: to, payload })
}
