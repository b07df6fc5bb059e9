/** A model in another form of file, and what that does to it. */
import { converted, isRead, readModel } from '../formats/formats.js'
import { largestError } from '../formats/storage.js'
import type { AnyNetwork } from '../neural/engines.js'
import { FannModel } from '../neural/fann/model.js'
import { asLayers } from '../neural/fann/net.js'
import type { Argument, Conversion } from './protocol.js'
import { forModel, parseFor, parseRows, scoreOf, using, type Work } from './rows.js'

type Options = Omit<Argument<'convert'>, 'model' | 'modelFile'>

/** Writes the model, and compares it with what comes back of it. */
export async function convert(
  opened: AnyNetwork,
  options: Options,
  work: Work,
): Promise<Conversion> {
  if (!options.layers || !(opened instanceof FannModel)) return compared(opened, options, work)
  const otherTargets = opened.task === 'classification' && opened.symmetric
  return using(asLayers(await work.neural(), opened), async (layers) => {
    return { ...(await compared(layers, options, work)), otherTargets }
  })
}

async function compared(
  network: AnyNetwork,
  { format, dtype, source, parse }: Options,
  work: Work,
): Promise<Conversion> {
  const neural = await work.neural()
  const { file, lost } = await converted(work, network, format, dtype)
  const { parameterCount: parameters } = network
  const score = (of: AnyNetwork) =>
    source === undefined
      ? null
      : using(
          forModel(of, () => parseRows(neural, source, parseFor(of, parse), work)),
          (data) => {
            return { ...scoreOf(of, data), rows: data.rows }
          },
        )
  const before = await score(network)
  const written = { model: file, lost, parameters, before, otherTargets: false }
  if (!isRead(format)) {
    return { ...written, weightsCid: network.weightsCid(), largestError: null, after: null }
  }
  return using(await readModel(work, file, format), async (back) => {
    // Weights of another engine lie in another order.
    const same = network instanceof FannModel === back instanceof FannModel
    return {
      ...written,
      weightsCid: back.weightsCid(),
      largestError: same ? largestError(network.weights(), back.weights()) : null,
      after: await score(back),
    }
  })
}
