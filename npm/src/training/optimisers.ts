/** What `neural train` and the library know of optimisers beyond their names. */
import { FANN_ALGORITHMS, type FannAlgorithm } from '../neural/fann/options.js'
import type { TrainOptions } from '../wasm.js'

/** Name of an optimiser. */
export type Optimiser = NonNullable<TrainOptions['optimiser']>

/** Learning rates that train without further thought. */
export const RATES = {
  sgd: 0.1,
  nesterov: 0.02,
  rmsprop: 1e-3,
  adam: 2e-3,
  adamw: 2e-3,
} as const satisfies Readonly<Record<Optimiser, number>>

/** The names. */
export const OPTIMISERS = Object.keys(RATES) as readonly Optimiser[]

/** How to train: an optimiser that steps batch by batch, or an algorithm of FANN. */
export type Algorithm = Optimiser | FannAlgorithm

/** The names of all algorithms. */
export const ALGORITHMS: readonly Algorithm[] = [...OPTIMISERS, ...FANN_ALGORITHMS]

/** Whether an optimiser has a momentum to set. */
export function hasMomentum(algorithm: Algorithm): boolean {
  return ['sgd', 'nesterov', 'incremental'].includes(algorithm)
}

/** Rows per step: 32 where there are plenty, fewer where an epoch would be only a few steps. */
export function batchFor(rows: number): number {
  return Math.max(4, Math.min(32, Math.floor(rows / 32)))
}
