/**
 * Rows and models as a training worker gets at them: read, named in errors, scaled, and given back
 * to the core's memory when they are done with.
 */
import { SynapticError } from '../errors.js'
import { given } from '../given.js'
import { type AnyNetwork, type Engines, endsOf, openNetwork } from '../neural/open.js'
import type { Dataset, NeuralModule, ParseOptions, Scaling } from '../wasm.js'
import type { ScalingChoice, Score, Source, TrainingProgress } from './protocol.js'

/** What the worker that does the work gives it. */
export interface Work extends Engines {
  /** The content of a file of rows, bounded; throws where there are no files. */
  read(file: string): Uint8Array
  /**
   * Tells how far the work is, and lets a cancellation through.
   *
   * @throws SynapticError `cancelled`
   */
  report(progress: TrainingProgress): Promise<void>
}

/** The task that rows for a model have; undefined where their labels tell. */
export function taskOfModel(network: AnyNetwork): 'regression' | undefined {
  // A model that predicts numbers takes whole numbers as such, not as names of classes.
  return endsOf(network).ofClasses ? undefined : 'regression'
}

/** Runs `work` and frees the object afterwards. */
export async function using<T extends { free(): void }, R>(
  object: T,
  work: (object: T) => R | Promise<R>,
): Promise<R> {
  try {
    return await work(object)
  } finally {
    object.free()
  }
}

/** The network of a model file; an error about its content names it. */
export async function openModel(
  engines: Engines,
  model: Uint8Array,
  file: string,
): Promise<AnyNetwork> {
  try {
    return await openNetwork(engines, model)
  } catch (thrown) {
    throw inFile(thrown, file)
  }
}

/** The bytes of a source. */
export function bytesOf(source: Source, work: Work): Uint8Array {
  return 'bytes' in source ? source.bytes : work.read(source.file)
}

/** Reads labelled rows; an error about them names the file. */
export function parseRows(
  neural: NeuralModule,
  source: Source,
  parse: ParseOptions,
  work: Work,
): Dataset {
  const bytes = bytesOf(source, work)
  return naming(source, () => neural.Dataset.parse(bytes, given(parse)))
}

/** Does what reads a source; an error about its content names the file. */
export function naming<T>(source: Source, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw 'file' in source ? inFile(thrown, source.file) : thrown
  }
}

/** Names the file in an error about its content. */
function inFile(thrown: unknown, file: string): unknown {
  if (typeof thrown !== 'object' || thrown === null) return thrown
  const { code, message, hint } = thrown as Record<string, unknown>
  if (typeof code !== 'string' || typeof message !== 'string') return thrown
  return new SynapticError(code, `${file}: ${message}`, typeof hint === 'string' ? hint : '')
}

/** The scaling that the user's choice means for these rows. */
export function scalingOf(data: Dataset, choice: ScalingChoice): Scaling {
  if (choice.kind !== 'range') return data.scaling(choice.kind)
  const { min, max } = choice
  return {
    offset: new Array<number>(data.features).fill(min),
    scale: new Array<number>(data.features).fill(1 / (max - min)),
  }
}

/** How well a network does on rows. */
export function scoreOf(network: AnyNetwork, data: Dataset): Score {
  const { loss, accuracy } = network.evaluate(data)
  return { loss, accuracy }
}
