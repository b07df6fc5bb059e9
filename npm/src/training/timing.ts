/**
 * How long a model takes on this machine: measured, never promised.
 *
 * Every figure is of samples taken after a warm-up. What is too short for the clock is repeated
 * until a sample takes a millisecond.
 */
import { type AnyNetwork, type Engines, endsOf } from '../neural/engines.js'
import { FannModel } from '../neural/fann/model.js'
import { stepsOf } from '../neural/steps.js'
import type { Dataset, Network } from '../wasm.js'
import { batchFor } from './optimisers.js'
import type { Bench, Timing } from './protocol.js'

/** Compilers are done by then with what is this small. */
const WARM_UP_MS = 100
/** Clocks of pages and of some machines tick in tenths of a millisecond or less often. */
const SAMPLE_MS_MIN = 1
const SAMPLES_MIN = 11
const SAMPLES_MAX = 101
/** No more samples are taken after this long. */
const TIME_MS_MAX = 1_000

/** Times `run` for one row, `runBatch` for more. */
export function timeRun(network: AnyNetwork, batch: number): Bench['run'][number] {
  const inputs = rowsFor(network, batch)
  const timing =
    batch === 1 ? time(() => network.run(inputs)) : time(() => network.runBatch(inputs, batch))
  return { batch, ...timing, networksPerSecond: perSecond(batch, timing) }
}

/** Times epochs of the usual algorithm over rows, Adam or RPROP; the network learns meanwhile. */
export async function timeEpoch(
  engines: Engines,
  network: AnyNetwork,
  data: Dataset,
): Promise<NonNullable<Bench['epoch']>> {
  if (!(network instanceof FannModel)) return timeAdam(network, data)
  if (network.task === undefined) network.describeBy(data, data.scaling('standard'))
  const steps = await stepsOf(engines, network, data, 'rprop', {}, 0n)
  const timing = time(() => steps.next())
  steps.free()
  // A step is an epoch: all rows at once.
  const { rows } = data
  return { rows, batch: rows, ...timing, rowsPerSecond: perSecond(rows, timing) }
}

function timeAdam(network: Network, data: Dataset): NonNullable<Bench['epoch']> {
  const raw = network.task === undefined ? data.standardise(data.scaling('standard')) : data
  const rows = network.prepare(raw)
  try {
    const batch = batchFor(rows.rows)
    const timing = time(() => network.trainEpoch(rows, { batch }))
    return { rows: rows.rows, batch, ...timing, rowsPerSecond: perSecond(rows.rows, timing) }
  } finally {
    rows.free()
    if (raw !== data) raw.free()
  }
}

function perSecond(count: number, { medianUs }: Timing): number {
  return (count / medianUs) * 1e6
}

/** Inputs that are nothing in particular, the same every time. */
function rowsFor(network: AnyNetwork, rows: number): Float32Array {
  const first = network instanceof FannModel ? undefined : network.specification.layers[0]
  const words = first?.type === 'embedding' ? first.vocabulary : undefined
  return Float32Array.from({ length: rows * endsOf(network).inputs }, (_, place) => {
    // The golden ratio spreads its multiples evenly over 0 to 1.
    const even = (place * 0.618_033_988_749_895) % 1
    return words === undefined ? 2 * even - 1 : Math.floor(even * words)
  })
}

/** Samples of the duration of some work. */
function time(work: () => unknown): Timing {
  const startedMs = performance.now()
  let calls = 0
  while (calls === 0 || performance.now() - startedMs < WARM_UP_MS) {
    work()
    calls += 1
  }
  const onceMs = (performance.now() - startedMs) / calls
  const repeats = Math.max(1, Math.ceil(SAMPLE_MS_MIN / onceMs))
  const samples: number[] = []
  const beganMs = performance.now()
  const goesOn = (): boolean =>
    samples.length < SAMPLES_MIN ||
    (samples.length < SAMPLES_MAX && performance.now() - beganMs < TIME_MS_MAX)
  while (goesOn()) {
    const fromMs = performance.now()
    for (let call = 0; call < repeats; call += 1) work()
    samples.push(((performance.now() - fromMs) / repeats) * 1_000)
  }
  samples.sort((a, b) => a - b)
  const at = (share: number): number => samples[Math.floor(share * (samples.length - 1))] ?? 0
  return { samples: samples.length, medianUs: at(0.5), p10Us: at(0.1), p90Us: at(0.9) }
}
