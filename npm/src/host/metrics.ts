/**
 * A node in figures, as Prometheus reads them: text format 0.0.4, one sample per line.
 *
 * Everything is read from the status at the moment of asking; nothing is counted here.
 */
import type { NodeStatus } from '../node.js'

/** One figure, or one per value of a label. */
export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly samples: readonly Sample[]
}

/** A value, and what it is of. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What the core counts among its counters and goes up and down. */
const RELAYED = ['relay-reservations', 'relay-circuits']
const PREFIX = 'synaptic_mesh_'

/** The figures of a node; `memoryBytes` and `uptimeSeconds` are those of its process. */
export function metricsOf(
  status: NodeStatus,
  process: { readonly memoryBytes: number; readonly uptimeSeconds: number },
): Metric[] {
  const { peers, counters, blobs, runs, storage } = status
  const counted = Object.entries(counters).filter(([cause]) => !RELAYED.includes(cause))
  const ways = ['direct', 'relayed'].flatMap((path) =>
    ['hybrid', 'classical'].map((channel) => ({
      labels: { path, channel },
      value: peers.filter((peer) => peer.path === path && peer.channel === channel).length,
    })),
  )
  const rtts = peers.flatMap(({ id, rttMs }) =>
    rttMs === null ? [] : [{ labels: { peer: id }, value: rttMs / 1_000 }],
  )
  return [
    gauge('peers', 'Connected peers that proved who they are.', ways),
    gauge('peer_rtt_seconds', 'Last round trip of a ping to each peer.', rtts),
    gauge('banned', 'Nodes that the owner has banned.', one(status.banned.length)),
    gauge('relay_reservations', 'Peers that can be reached through this node.', [
      ...one(counters['relay-reservations'] ?? 0),
    ]),
    gauge('relay_circuits', 'Connections of others that this node relays.', [
      ...one(counters['relay-circuits'] ?? 0),
    ]),
    gauge('vertices', 'Vertices of the history that are kept.', one(status.vertices)),
    gauge('blobs', 'Blobs that are kept.', one(blobs.count)),
    gauge('blob_bytes', 'Bytes of those blobs.', one(blobs.bytes)),
    gauge('storage_bytes', 'Bytes on the disk.', storage.bytes === null ? [] : one(storage.bytes)),
    gauge('runs', 'Runs of the network.', one(runs.length)),
    gauge('memory_bytes', 'Resident memory of the process.', one(process.memoryBytes)),
    gauge('uptime_seconds', 'Age of the process.', one(process.uptimeSeconds)),
    {
      name: `${PREFIX}events_total`,
      help: 'What was dropped, refused or penalised, by cause.',
      type: 'counter',
      samples: counted.map(([cause, value]) => ({ labels: { cause }, value })),
    },
  ]
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name: `${PREFIX}${name}`, help, type: 'gauge', samples }
}

function one(value: number): Sample[] {
  return [{ labels: {}, value }]
}

/** The text of the figures; those without a sample are left out. */
export function prometheusText(metrics: readonly Metric[]): string {
  const lines = metrics
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ name, help, type, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`),
    ])
  return `${lines.join('\n')}\n`
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (letter) => (letter === '\n' ? '\\n' : `\\${letter}`))
}
