/** `start`: the node itself, in the foreground, until a signal or `stop` ends it. */
import { rmSync } from 'node:fs'
import * as path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Config } from '../config.js'
import { aborted, type Context } from '../context.js'
import { exitCodeOf, type Problem, SynapticError, toSynapticError, usageError } from '../errors.js'
import { makePrivateDirectory, SECRET_MODE, writeAtomic } from '../files.js'
import { notInitialised } from '../home.js'
import { controlTarget } from '../host/commands.js'
import { ControlServer, type ControlTarget } from '../host/control.js'
import { Dashboard } from '../host/dashboard.js'
import { Flapping } from '../host/flapping.js'
import { meet } from '../host/meet.js'
import { isLoopback } from '../host/sockets.js'
import { hasIdentity } from '../identity.js'
import { decodeJoinLink } from '../link.js'
import { multiaddrFault } from '../multiaddr.js'
import { createNode, type Node, type NodeEvent, wrongNetwork } from '../node.js'
import { outlet, shortId } from '../output.js'
import { patiently } from '../progress.js'
import { loadMesh } from '../wasm.js'
import { eventText } from './event-text.js'

/** Options of `start`. */
export interface StartOptions {
  readonly port?: number
  readonly host?: string
  readonly dashboardPort?: number
  readonly name?: string
  readonly storage?: 'sqlite' | 'memory'
  readonly threads?: number
  readonly join?: string
  readonly announce?: string[]
  readonly relay?: string[]
}

/** What is said while the members of a link are called. */
export const CALLING = 'calling the members of the link'

/** How long an orderly end may take before the process ends anyway. */
const STOP_TIMEOUT_MS = 10_000

/** Bytes of wasm code a function runs before it is optimised; measured, see `loadCoreLeanly`. */
const LEAN_TIERING_BUDGET = 50_000_000
/** What V8 takes by itself in Node 20 to 24. */
const USUAL_TIERING_BUDGET = 1_800_000

/** It ends in order when it is interrupted. */
export const endsItself = true

/** Runs a node. */
export function run(context: Context, options: StartOptions): Promise<number> {
  return runNode(context, options, () => undefined)
}

/** Runs a node, and says once it is a member: at once, or after somebody of the link answered. */
export async function runNode(
  context: Context,
  options: StartOptions,
  onMember: () => void,
): Promise<number> {
  if (!hasIdentity(context.home)) throw notInitialised(context.home)
  await loadCoreLeanly()
  const config = configFor(context, options)
  checkLink(config, options)
  const node = await makeNode(context, config, options)
  try {
    const events = node.events()
    if (options.join !== undefined) await reachMember(context, node, options.join)
    onMember()
    return await serve(context, config, node, events)
  } finally {
    rmSync(context.home.controlFile, { force: true })
    await inTime(node.stop())
  }
}

/**
 * Loads the core so that only functions that stay busy are optimised. V8 would otherwise optimise
 * half of it within the first second, which takes twice the memory of an idle node (247 against
 * 102 MB on Node 20) and makes nothing faster that anybody waits for. The number is read when the
 * module is instantiated; training threads, which are loaded later, get the usual one.
 */
async function loadCoreLeanly(): Promise<void> {
  setFlagsFromString(`--wasm-tiering-budget=${LEAN_TIERING_BUDGET}`)
  try {
    await loadMesh()
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${USUAL_TIERING_BUDGET}`)
  }
}

/** Waits for a member of the link, so that nothing is announced that will not work. */
async function reachMember({ output, signal }: Context, node: Node, link: string): Promise<void> {
  const { addresses } = decodeJoinLink(link)
  const met = meet(node, addresses)
  met.catch(() => undefined)
  const reached = (): Promise<void> => Promise.race([met, aborted(signal), node.closed])
  await patiently(output.stderr, CALLING, reached, output.talkative)
}

function configFor({ home, around }: Context, options: StartOptions): Config {
  return Config.load(home, around, {
    name: options.name,
    storage: options.storage,
    'listen.host': options.host,
    'listen.port': options.port,
    'dashboard.port': options.dashboardPort,
    'training.threads': options.threads,
    announce: separate(options.announce),
  })
}

/** Addresses that are given one by one, or with commas between them. */
function separate(addresses: readonly string[] | undefined): string[] | undefined {
  return addresses?.flatMap((one) => one.split(','))
}

function checkLink(config: Config, { join }: StartOptions): void {
  if (join === undefined) return
  const { network } = decodeJoinLink(join)
  const own = config.get('network')
  if (own !== '' && own !== network) throw wrongNetwork(network, own)
}

async function makeNode(
  { home, output }: Context,
  config: Config,
  options: StartOptions,
): Promise<Node> {
  const wanted = config.get('listen.port')
  const relays = separate(options.relay) ?? []
  for (const relay of relays) {
    const fault = multiaddrFault(relay)
    if (fault === '') continue
    throw usageError(
      `--relay "${relay}" is no address: ${fault}`,
      'give one such as /ip4/192.0.2.1/tcp/7411/ws',
    )
  }
  const node = await createNode({
    home,
    join: options.join,
    network: config.get('network') === '' ? undefined : config.get('network'),
    name: config.get('name'),
    host: config.get('listen.host'),
    port: wanted,
    exactPort: config.resolve('listen.port').origin === 'flag',
    storage: config.get('storage'),
    history: config.get('history'),
    classical: config.get('classical'),
    webrtc: config.get('webrtc'),
    relay: config.get('relay'),
    relaying: config.get('relaying'),
    mdns: config.get('mdns'),
    bootstrap: [...relays, ...config.get('bootstrap')],
    advertise: config.get('announce'),
    threads: config.get('training.threads'),
  })
  if (wanted !== 0 && node.port !== wanted) {
    output.note(`port ${wanted} is in use; listening on ${node.port} instead`)
  }
  if (!isLoopback(config.get('listen.host'))) {
    output.note(`listening on ${config.get('listen.host')}: other machines can call this node`)
  }
  if (config.get('storage') === 'memory') {
    output.note('storage is memory: this node has a passing identity and forgets everything')
    if (node.permissioned) output.note('each such start takes one of the uses of its invite')
  }
  return node
}

/** Serves dashboard and control API, tells what happens, and waits for the end. */
async function serve(
  context: Context,
  config: Config,
  node: Node,
  events: AsyncIterable<NodeEvent>,
): Promise<number> {
  let end: (code: number) => void = () => undefined
  const ended = new Promise<number>((resolve) => {
    end = resolve
  })
  const control = await startControl(context, config, node, () => end(0))
  try {
    node.serveAt(control.url)
    announce(context, node, control)
    for (const problem of node.mended) warn(context, problem)
    void node.resumeRuns()
    outlet.isVital = false
    const told = tell(context, events)
    const code = await Promise.race([
      ended,
      node.closed.then(() => 0),
      aborted(context.signal).catch((thrown: unknown) => exitCodeOf(toSynapticError(thrown).code)),
    ])
    await saysWhatIsKept(context, node)
    await inTime(node.stop())
    await inTime(told)
    return code
  } finally {
    control.close()
  }
}

async function startControl(
  { home, output }: Context,
  config: Config,
  node: Node,
  stop: () => void,
): Promise<ControlServer> {
  const wanted = config.get('dashboard.port')
  const side = { stop, dashboard: '' }
  const target: ControlTarget = controlTarget(node, side)
  const control = await ControlServer.start({
    port: wanted,
    exactPort: config.resolve('dashboard.port').origin === 'flag',
    meshHost: config.get('listen.host'),
    dashboard: Dashboard.installed(),
    target,
  })
  side.dashboard = control.dashboardLink
  const port = Number(new URL(control.url).port)
  if (wanted !== 0 && port !== wanted) {
    output.note(`port ${wanted} is in use; the dashboard is on ${port} instead`)
  }
  makePrivateDirectory(path.dirname(home.controlFile))
  const { url, token } = control
  writeAtomic(
    home.controlFile,
    `${JSON.stringify({ url, token, pid: process.pid })}\n`,
    SECRET_MODE,
  )
  return control
}

function announce({ output }: Context, node: Node, control: ControlServer): void {
  const { nodeId, network, addresses, joinLink: join } = node
  const dashboard = control.dashboardLink
  output.event('ready', { nodeId, network, addresses, dashboard, join }, (paint) =>
    [
      `${paint('bold', 'node')}       ${nodeId}`,
      `${paint('bold', 'network')}    ${network}`,
      ...addresses.map((address) => `${paint('bold', 'listening')}  ${address}`),
      ...(node.permissioned
        ? [
            `${paint('bold', 'entry')}      by invite only: \`synaptic-mesh invite create\` makes one`,
          ]
        : []),
      ...(!node.decides
        ? [`${paint('bold', 'finality')}   causal only, no finality: no committee`]
        : []),
      `${paint('bold', 'dashboard')}  ${dashboard}`,
      `${paint('bold', 'join link')}  ${join}`,
      '',
      'Open the join link in a browser on this machine, or become a member from a terminal:',
      `  ${paint('cyan', `npx synaptic-mesh join '${join}'`)}`,
      'Ctrl-C ends the node.',
    ].join('\n'),
  )
}

/** Prints events until there are no more. */
async function tell({ output }: Context, events: AsyncIterable<NodeEvent>): Promise<void> {
  const flapping = new Flapping()
  for await (const event of events) {
    const { type, ...data } = event
    if (type === 'ready') continue
    flapping.observe(event)
    // Programs get every event; who reads lines has been warned.
    if (event.type === 'peer' && !output.json && flapping.isFlapping(event.id)) continue
    if (event.type === 'warning') warn({ output }, event)
    else output.event(type, data, (paint) => eventText(event, paint))
  }
}

function warn({ output }: Pick<Context, 'output'>, { code, message, hint }: Problem): void {
  if (output.json) output.event('warning', { code, message, hint })
  else output.warn(message, hint)
}

async function saysWhatIsKept({ output }: Context, node: Node): Promise<void> {
  try {
    const { vertices, blobs, storage } = await node.status()
    const place = storage.path ?? 'memory, which is forgotten now'
    const kept = `${vertices} vertices and ${blobs.count} blobs in ${place}`
    output.note(`node ${shortId(node.nodeId)} ends; kept: ${kept}`)
  } catch {
    // The core is gone already; its last words have been printed.
  }
}

async function inTime(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SynapticError('timeout', 'the node did not end in time')),
      STOP_TIMEOUT_MS,
    )
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
