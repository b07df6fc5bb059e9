/** What the commands about the history share: opening the store of a home. */
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { DagHistory } from '../dag/history.js'
import { SynapticError } from '../errors.js'
import { networkDirectory, notInitialised } from '../home.js'
import { storedHistory } from '../host/store.js'
import { hasIdentity } from '../identity.js'
import { loadMesh } from '../wasm.js'

/**
 * Reads the history of the home for `work`, whether its node is running or not.
 *
 * @throws SynapticError `not-initialised`, `no-history`
 */
export async function withHistory<T>(
  { home, around }: Context,
  work: (history: DagHistory) => T | Promise<T>,
): Promise<T> {
  if (!hasIdentity(home)) throw notInitialised(home)
  const config = Config.load(home, around)
  const network = config.get('network')
  const stored = storedHistory(networkDirectory(home, network))
  if (stored === undefined) {
    throw new SynapticError(
      'no-history',
      `there is no history in ${home.directory}`,
      'start the node first; one with --storage memory keeps none on the disk',
    )
  }
  const history = new DagHistory(await loadMesh(), network, stored)
  try {
    return await work(history)
  } finally {
    history.free()
  }
}
