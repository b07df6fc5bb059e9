/** `group list GROUP`: its tasks, as a majority of its members knows them now. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { type PlainTask, tasksText } from './group-task.js'

/** Lists them. */
export async function run({ home, output }: Context, _: object, group: string): Promise<void> {
  const tasks = await ControlClient.connect(home).call<PlainTask[]>('group.list', { group })
  output.result(tasks, () => (tasks.length === 0 ? 'no tasks' : tasksText(tasks)))
}
