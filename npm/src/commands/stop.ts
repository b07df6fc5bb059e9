/** `stop`: ends the running node and waits until it has ended. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { SynapticError } from '../errors.js'
import { lockOwner } from '../lock.js'

/** A node ends within a second unless the disk is very slow. */
const TIMEOUT_MS = 15_000
const POLL_MS = 50

/** Asks the node to end. */
export async function run({ home, output, signal }: Context): Promise<void> {
  const client = ControlClient.connect(home)
  await client.call('stop')
  const deadline = performance.now() + TIMEOUT_MS
  while (lockOwner(home.lockFile) === client.pid) {
    signal.throwIfAborted()
    if (performance.now() > deadline) {
      throw new SynapticError(
        'timeout',
        `process ${client.pid} has not ended yet`,
        `end it with \`kill ${client.pid}\`; nothing acknowledged is lost`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  output.result({ stopped: true, pid: client.pid }, () => `process ${client.pid} has ended`)
}
