/** `group take GROUP TASK`: this node takes an open task. */
import type { Context } from '../context.js'
import { changeTask, type VersionOptions } from './group-task.js'

/** Changes the task. */
export async function run(
  context: Context,
  { ifVersion: version }: VersionOptions,
  group: string,
  task: string,
): Promise<void> {
  await changeTask(context, group, { kind: 'take', task, version })
}
