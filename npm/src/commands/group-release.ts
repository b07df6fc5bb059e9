/** `group release GROUP TASK`: a taken task is open again. */
import type { Context } from '../context.js'
import { changeTask, type VersionOptions } from './group-task.js'

/** Changes the task. */
export async function run(
  context: Context,
  { ifVersion: version }: VersionOptions,
  group: string,
  task: string,
): Promise<void> {
  await changeTask(context, group, { kind: 'release', task, version })
}
