/** `status`: the running node in numbers, or what its store holds while none is running. */
import { aggregationText } from '../aggregation.js'
import { ControlClient } from '../client.js'
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { type Problem, toSynapticError } from '../errors.js'
import { exists } from '../files.js'
import { forHome, genesisFile, type Home, networkDirectory, notInitialised } from '../home.js'
import { glimpse, type StoreGlimpse } from '../host/store.js'
import { hasIdentity, readIdentity, requireHistory } from '../identity.js'
import { type NodeStatus, REMEMBERED_RUNS } from '../node.js'
import { REMEMBERED_GENESIS } from '../open-home.js'
import { bytesText, columns, type Paint, shortId } from '../output.js'
import { spentText } from '../privacy.js'
import { shortRunId } from '../run-name.js'
import { loadMesh, type RunView } from '../wasm.js'
import { stateText } from './finality-status.js'
import { waitingText } from './waiting-text.js'

/** What the command prints; what a node alone knows is absent while none is running. */
export type StatusData = Omit<
  NodeStatus,
  'running' | 'addresses' | 'banned' | 'join' | 'counters' | 'finality'
> &
  Partial<Pick<NodeStatus, 'addresses' | 'banned' | 'join' | 'counters' | 'finality'>> & {
    readonly running: boolean
    readonly dashboard?: string
    /** What the next start will say; absent while a node is running. */
    readonly problems?: readonly Problem[]
  }

/** Prints the status. */
export async function run(context: Context): Promise<void> {
  const { home, output } = context
  if (!hasIdentity(home)) throw notInitialised(home)
  const client = ControlClient.find(home)
  const data =
    client === undefined ? await asleep(context) : await client.call<StatusData>('status')
  output.result(data, (paint) => statusText(data, paint, home))
  if (output.json) return
  for (const { message, hint } of data.problems ?? []) output.warn(message, forHome(hint, home))
}

/** The status without a node, read from the disk. */
async function asleep({ home, around }: Context): Promise<StatusData> {
  const config = Config.load(home, around)
  const { nodeId } = readIdentity(await loadMesh(), home)
  const network = config.get('network')
  const lost = lostHistory(home, network)
  const store = lost === undefined ? glimpse(networkDirectory(home, network)) : undefined
  const runs = JSON.parse(store?.recall(REMEMBERED_RUNS) ?? '[]') as RunView[]
  return {
    running: false,
    nodeId,
    network,
    name: config.get('name'),
    peers: [],
    vertices: store?.vertices ?? 0,
    blobs: store?.blobs ?? { count: 0, bytes: 0 },
    runs: runs.map((run) => ({ ...run, contributing: false })),
    storage: {
      kind: config.get('storage'),
      path: store?.file ?? null,
      bytes: store?.bytes ?? 0,
    },
    problems: [
      ...(lost === undefined ? [] : [lost]),
      ...(store === undefined ? [] : lostGenesis(home, network, store)),
    ],
  }
}

/** Why the history of a home is not there although it had one. */
function lostHistory(home: Home, network: string): Problem | undefined {
  try {
    requireHistory(home, network, networkDirectory(home, network))
    return undefined
  } catch (thrown) {
    return toSynapticError(thrown).toProblem()
  }
}

/** What the network began with is gone, and is made again at the next start. */
function lostGenesis(home: Home, network: string, store: StoreGlimpse): Problem[] {
  const file = genesisFile(home, network)
  if (exists(file) || store.recall(REMEMBERED_GENESIS) === undefined) return []
  return [
    {
      code: 'genesis-lost',
      message: `${file} is gone`,
      hint: '`synaptic-mesh start` makes it again from the history',
    },
  ]
}

function statusText(data: StatusData, paint: Paint, home: Home): string {
  const { nodeId, network, peers, vertices, blobs, runs, storage } = data
  const facts: [string, string][] = [
    ['node', nodeId],
    ['network', network],
    [
      'running',
      data.running ? paint('green', 'yes') : forHome('no: `synaptic-mesh start` starts it', home),
    ],
    ['stored', `${vertices} vertices, ${blobs.count} blobs (${bytesText(blobs.bytes)})`],
    ['where', storage.path ?? storage.kind],
  ]
  if (data.finality !== undefined) facts.push(['finality', stateText(data.finality, paint)])
  if (data.dashboard !== undefined) facts.push(['dashboard', data.dashboard])
  if (data.join !== undefined) facts.push(['join link', data.join])
  const parts = [
    facts.map(([name, value]) => `${paint('bold', name.padEnd(9))}  ${value}`).join('\n'),
  ]
  if (peers.length > 0) {
    const rows = peers.map(({ id, transport, path, channel, rttMs }) => [
      shortId(id),
      transport,
      path,
      channel,
      rttMs === null ? '' : `${Math.round(rttMs)} ms`,
    ])
    parts.push(columns([['peer', 'transport', 'path', 'channel', 'rtt'], ...rows]))
  }
  if (runs.length > 0) parts.push(runsText(runs))
  return parts.join('\n\n')
}

/** Runs as a table. */
export function runsText(runs: readonly RunView[]): string {
  const rows = runs.map(({ run, name, state, round, rounds, ...of }) => [
    name,
    shortRunId(run),
    state,
    `${round}/${rounds}`,
    String(of.members.length),
    aggregationText(of.aggregation, of.trustedRows),
    spentText(of.privacy),
    state === 'finished' ? 'no, finished' : of.contributing ? 'yes' : 'no',
  ])
  const table = columns([
    ['run', 'id', 'state', 'round', 'members', 'rule', 'epsilon', 'contributing'],
    ...rows,
  ])
  return [table, ...runs.flatMap(waitingText)].join('\n')
}
