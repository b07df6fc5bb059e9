/** `finality verify FILE`: checks a proof with the genesis of the network, and nothing else. */
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { SynapticError } from '../errors.js'
import { readBounded } from '../files.js'
import { readGenesis } from '../genesis.js'
import { decodeJoinLink } from '../link.js'
import { proofVerifier } from '../proof.js'
import { loadProof } from '../wasm.js'

/** As the core's bound. */
const PROOF_BYTES_MAX = 4 * 1024 * 1024

/** Options of `finality verify`. */
export interface VerifyOptions {
  readonly join?: string
  readonly heightMin?: number
}

/** Checks a file; an error says what is wrong with it. */
export async function run(context: Context, options: VerifyOptions, file: string): Promise<void> {
  const proof = readBounded(file, PROOF_BYTES_MAX)
  const genesis = genesisFor(context, options)
  const proven = await proofVerifier(loadProof)(genesis, proof, { heightMin: options.heightMin })
  context.output.result(proven, (paint) =>
    [
      `${paint('green', 'proven')}: ${proven.item} is final in network ${proven.network}`,
      `checkpoint ${proven.height} of epoch ${proven.epoch}, among ${proven.decided} decisions`,
    ].join('\n'),
  )
}

function genesisFor({ home, around }: Context, { join }: VerifyOptions): Uint8Array {
  const link = join === undefined ? undefined : decodeJoinLink(join)
  const genesis =
    link === undefined ? readGenesis(home, Config.load(home, around).get('network')) : link.genesis
  if (genesis !== undefined) return genesis
  throw new SynapticError(
    'no-genesis',
    link === undefined ? 'this home has no genesis of its network' : 'the link has no genesis',
    'give a join link of the network with --join; a network without a committee has no proofs',
  )
}
