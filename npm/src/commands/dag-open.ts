/** What the commands about the history share: opening the store of a home. */
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { type DagHistory, openHistory } from '../dag/history.js'

/**
 * Reads the history of the home for `work`, whether its node is running or not.
 *
 * @throws SynapticError `not-initialised`, `no-history`
 */
export async function withHistory<T>(
  { home, around }: Context,
  work: (history: DagHistory) => T | Promise<T>,
): Promise<T> {
  const network = Config.load(home, around).get('network')
  const history = await openHistory(home, { network })
  try {
    return await work(history)
  } finally {
    history.free()
  }
}
