/** FANN's own file of a network of either engine. */
import type { Network } from '../../wasm.js'
import type { Converted } from '../convert.js'
import type { AnyNetwork, Engines } from '../open.js'
import { type Description, describe } from './file.js'
import { fannOfLayers } from './layers.js'
import { FannModel } from './model.js'

/** The functions that libfann 2.2.0 does not have; its development version does. */
const NEWER = ['linear-piece-rect', 'linear-piece-rect-leaky']

/**
 * Writes a network as FANN does.
 *
 * @throws SynapticError `no-counterpart`
 */
export async function fannFileOf(engines: Engines, network: AnyNetwork): Promise<Converted> {
  const module = await engines.fann()
  if (network instanceof FannModel) {
    // A copy, so that the network keeps the scaling it came with.
    const copy = module.Fann.fromFile(network.fann.toFile())
    return finished(new FannModel(await engines.neural(), copy), network.description)
  }
  const fann = fannOfLayers(module, network)
  const converted = finished(new FannModel(await engines.neural(), fann), descriptionOf(network))
  const { loss } = network.specification
  return loss === 'mse'
    ? converted
    : { ...converted, lost: [...converted.lost, `its loss ${loss}`] }
}

function finished(model: FannModel, description: Description): Converted {
  try {
    const lost = describe(model.fann, description)
    const names = model.info.activations.flat().map(({ activation }) => activation)
    const newer = [...new Set(names)].filter((name) => NEWER.includes(name))
    const unknown = newer.map(
      (name) => `${name}, which libfann 2.2 does not know and newer ones do`,
    )
    return { file: model.fann.toFile(), lost: [...lost, ...unknown] }
  } finally {
    model.free()
  }
}

/** What the file of a network of layers says of it. */
export function descriptionOf(network: Network): Description {
  const { task, classes, scaling, targetScaling } = JSON.parse(
    new TextDecoder().decode(network.toModel()),
  )
  return {
    task: task ?? undefined,
    classes,
    scaling: scaling ?? undefined,
    target: targetScaling ?? undefined,
  }
}
