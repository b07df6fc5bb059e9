/** `relay on` and `relay off`: whether others may reach each other through this node. */
import { ControlClient } from '../client.js'
import { updateConfigFile } from '../config.js'
import type { Context } from '../context.js'
import type { RelayStatus } from '../host/relay-status.js'
import { relayText } from './relay-status.js'

/** The command for one of the two. */
export function turn(relay: 'on' | 'off') {
  return async ({ home, output }: Context): Promise<void> => {
    updateConfigFile(home.configFile, { relay })
    const client = ControlClient.find(home)
    const status = await client?.call<RelayStatus>('relay.set', { on: relay === 'on' })
    output.result({ relay, status: status ?? null }, () =>
      status === undefined ? `relay ${relay} from the next start` : relayText(status),
    )
  }
}
