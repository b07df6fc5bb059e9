/** `metrics`: the node in figures, as Prometheus reads them. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { type Metric, prometheusText } from '../host/metrics.js'

/** Prints them. */
export async function run({ home, output }: Context): Promise<void> {
  const metrics = await ControlClient.connect(home).call<Metric[]>('metrics')
  output.result({ metrics }, () => prometheusText(metrics).trimEnd())
}
