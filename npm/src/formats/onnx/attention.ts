/** Multi-head self-attention from products and softmax (Vaswani et al. 2017, section 3.2). */
import type { Layer } from '../../wasm.js'
import type { Value } from './builder.js'
import { linear, type Place, reshaped } from './place.js'

type Attention = Extract<Layer, { readonly type: 'attention' }>

/** What a score that does not count is lowered by: finite, and its exponential is 0. */
const HIDDEN = -1e30

/** The layer: heads are an axis before the steps, so that one product serves all of them. */
export function attention(layer: Attention, place: Place): Value {
  const { builder, from, sizes } = place
  const [steps = 1, features = 1] = sizes
  const heads = layer.heads ?? 1
  const width = features / heads
  const input = builder.lying(from, 'last')
  /** `[batch, steps, features]` to `[batch, heads, ..]`. */
  const headsOf = (name: string, perm: number[]): string => {
    const projected = linear(place, input, name)
    const cut = reshaped(builder, projected, [steps, heads, width])
    return builder.node('Transpose', [cut], { perm })
  }
  const query = headsOf('query.', [0, 2, 1, 3])
  const key = headsOf('key.', [0, 2, 3, 1])
  const value = headsOf('value.', [0, 2, 1, 3])
  const scale = builder.constant('scale', [], Float32Array.of(1 / Math.sqrt(width)))
  let scores = builder.node('Mul', [builder.node('MatMul', [query, key]), scale])
  if (layer.causal === true) {
    const mask = Float32Array.from({ length: steps * steps }, (_, at) =>
      at % steps > Math.floor(at / steps) ? HIDDEN : 0,
    )
    scores = builder.node('Add', [scores, builder.constant('mask', [steps, steps], mask)])
  }
  const shares = builder.node('Softmax', [scores], { axis: 3 })
  const context = builder.node('MatMul', [shares, value])
  const turned = builder.node('Transpose', [context], { perm: [0, 2, 1, 3] })
  const rows = reshaped(builder, turned, sizes)
  return { sizes, names: { last: linear(place, rows, 'output.') } }
}
