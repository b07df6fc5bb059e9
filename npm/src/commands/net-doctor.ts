/** `net doctor`: what stands between the running node and others, each with its remedy. */
import { type Check, showChecks } from '../checks.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Looks, and exits with 1 if something does not work. */
export async function run(context: Context): Promise<number> {
  const checks = await ControlClient.connect(context.home).call<Check[]>('net.doctor')
  return showChecks(context, checks)
}
