/** `net doctor`: what stands between the running node and others, each with its remedy. */
import { type Check, checksFor, checksText, isHealthy } from '../checks.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Looks, and exits with 1 if something does not work. */
export async function run({ home, output }: Context): Promise<number> {
  const told = await ControlClient.connect(home).call<Check[]>('net.doctor')
  const checks = checksFor(told, home)
  const healthy = isHealthy(checks)
  output.result({ healthy, checks }, (paint) => checksText(checks, paint))
  return healthy ? 0 : 1
}
