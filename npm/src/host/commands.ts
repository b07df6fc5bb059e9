/**
 * The commands of the control API, carried out on a node.
 *
 * A body comes from another process, so every field is checked for its type here; bounds are
 * checked by `run-options.ts` and by the core.
 */
import * as path from 'node:path'
import type { RuleChoice } from '../aggregation.js'
import type { Attack } from '../attack.js'
import type { CompressionChoice } from '../compression.js'
import { SynapticError, usageError } from '../errors.js'
import { given } from '../given.js'
import { decodeJoinLink } from '../link.js'
import { type Node, type NodeStatus, wrongNetwork } from '../node.js'
import { eachNumber, type RowsRequest, type RunRequest } from '../run-options.js'
import type { HoldRequest, TransferRequest, WaitOptions } from '../wallet.js'
import type {
  Activation,
  CommitteeMember,
  GroupTask,
  GroupTaskChange,
  RunView,
  Task,
} from '../wasm.js'
import type { ControlTarget } from './control.js'
import { meet } from './meet.js'
import { metricsOf } from './metrics.js'
import { examine } from './net-doctor.js'
import { relayStatus } from './relay-status.js'
import type { Membership } from './runs.js'

type Body = Readonly<Record<string, unknown>>

/** What belongs to the process rather than to the node. */
export interface ProcessSide {
  /** Ends the process after the answer is out. */
  stop(): void
  /** Link of the dashboard, with the token. */
  readonly dashboard: string
}

/** The node as the control API sees it. */
export function controlTarget(node: Node, side: ProcessSide): ControlTarget {
  const commands: Readonly<Record<string, (body: Body) => Promise<unknown>>> = {
    status: async () => ({
      ...(await statusOf(node)),
      dashboard: side.dashboard,
      pid: process.pid,
    }),
    stop: async () => {
      setImmediate(() => side.stop())
      return { stopping: true, pid: process.pid }
    },
    join: (body) => join(node, text(body, 'link')),
    dial: async (body) => {
      await node.dial(text(body, 'address'))
      return null
    },
    'peer.list': async () => {
      const { peers, banned } = await node.status()
      return { peers, unreached: await node.unreached(), banned }
    },
    'peer.connect': (body) => node.connect(text(body, 'address')),
    'peer.disconnect': (body) => withPeer(node, body, connected, (id) => node.disconnect(id)),
    'peer.ban': (body) => withPeer(node, body, connected, (id) => node.ban(id)),
    'peer.unban': (body) => withPeer(node, body, banned, (id) => node.unban(id)),
    'peer.ping': (body) => withPeer(node, body, connected, (id) => node.ping(id)),
    'peer.trace': async (body) => {
      const name = text(body, 'peer')
      const meant = connected(await node.status()).filter((id) => id.startsWith(name))
      return node.trace(meant.length === 1 ? (meant[0] ?? name) : name)
    },
    'net.doctor': () => examine(node),
    'relay.status': () => relayStatus(node),
    'relay.set': (body) => {
      const on = optional(body, 'on', isFlag)
      if (on === undefined) throw usageError('"on" must be true or false')
      node.relays = on
      return relayStatus(node)
    },
    metrics: async () => metricsOf(await node.status(), processFigures()),
    'run.list': async () => (await node.runs()).map(plainRun),
    'run.start': async (body) => membership(await node.startRun(runRequest(body))),
    'run.join': async (body) =>
      membership(await node.joinRun(text(body, 'run'), rowsRequest(body))),
    'run.leave': async (body) => {
      await node.leaveRun(text(body, 'run'))
      return { left: text(body, 'run') }
    },
    'run.training': (body) =>
      node.training(text(body, 'run'), { from: optional(body, 'from', isNumber) ?? 1 }),
    'run.export': (body) => node.exportRun(text(body, 'run')),
    'finality.status': () => node.finality(),
    'finality.list': (body) => node.finalPage(optional(body, 'from', isNumber) ?? 0),
    'finality.item': (body) => node.item(text(body, 'item')),
    'finality.prove': (body) => node.proof(text(body, 'item')),
    'anonymous.prove': async (body) => {
      const { proof, ...way } = await node.anonymous.proof(text(body, 'item'))
      return { proof: Buffer.from(proof).toString('base64'), ...way }
    },
    'anonymous.name': (body) => node.anonymous.name(text(body, 'name')),
    'committee.show': () => node.committee(),
    'group.create': (body) =>
      node.createGroup(text(body, 'name'), optional(body, 'members', isTexts) ?? []),
    'group.status': () => node.groups(),
    'group.list': async (body) => (await node.groupTasks(text(body, 'group'))).map(plainTask),
    'group.change': async (body) => {
      const task = await node.changeTask(text(body, 'group'), taskChange(body))
      return task === null ? null : plainTask(task)
    },
    'group.member': (body) =>
      node.changeMember(
        text(body, 'group'),
        text(body, 'member'),
        optional(body, 'joins', isFlag) ?? true,
      ),
    'committee.propose': (body) => node.proposeCommittee(committee(body)),
    'wallet.balance': (body) => node.wallet.balance(optional(body, 'account', isText)),
    'wallet.history': (body) =>
      node.wallet.page(optional(body, 'account', isText), optional(body, 'from', isNumber) ?? 0),
    'wallet.transfer': (body) => node.wallet.transfer(transfer(body), wait(body)),
    'wallet.hold': (body) => node.wallet.hold(hold(body), wait(body)),
    'wallet.holds': (body) => node.wallet.holds(optional(body, 'account', isText)),
    'wallet.pending': () => node.wallet.pending(),
    'wallet.release': (body) => node.wallet.release(text(body, 'hold'), wait(body)),
    'wallet.refund': (body) => node.wallet.refund(text(body, 'hold'), wait(body)),
    'name.resolve': (body) => node.names.resolve(text(body, 'name')),
    'name.list': (body) => node.names.list(optional(body, 'owner', isText)),
    'name.register': (body) => {
      const addresses = optional(body, 'addresses', isTexts)
      return node.names.register(text(body, 'name'), { ...wait(body), addresses })
    },
    'message.send': (body) =>
      node.messages.send({ to: text(body, 'to'), text: optional(body, 'text', isText) ?? '' }),
    'message.list': (body) => node.messages.page(optional(body, 'before', isText)),
    'invite.create': (body) =>
      node.invites.create({
        node: optional(body, 'node', isText),
        uses: optional(body, 'uses', isNumber),
        lastsMs: optional(body, 'lastsMs', isNumber),
      }),
    'invite.list': () => node.invites.list(),
    'invite.revoke': async (body) => ({ id: await node.invites.revoke(text(body, 'invite')) }),
    'name.renew': (body) => node.names.renew(text(body, 'name'), wait(body)),
  }
  return {
    call: (command, body) => {
      const work = Object.hasOwn(commands, command) ? commands[command] : undefined
      if (work === undefined) {
        throw new SynapticError('no-such-command', `there is no command "${command}"`)
      }
      return work(body)
    },
    events: () => node.events(),
  }
}

/** A status in which arrays of numbers are plain lists. */
export async function statusOf(node: Node): Promise<NodeStatus> {
  const status = await node.status()
  return { ...status, runs: status.runs.map(plainRun) }
}

/** A run whose scaling is plain lists, so that it can be written as JSON. */
export function plainRun(run: RunView): RunView {
  const { offset, scale } = run.scaling
  return { ...run, scaling: { offset: Array.from(offset), scale: Array.from(scale) } }
}

/** A task whose payload is text, so that it can be written as JSON. */
function plainTask(task: GroupTask): unknown {
  return { ...task, payload: new TextDecoder().decode(task.payload) }
}

const connected = ({ peers }: NodeStatus): readonly string[] => peers.map(({ id }) => id)
const banned = (status: NodeStatus): readonly string[] => status.banned

/**
 * Does something with one of these peers that is named by the beginning of its id, or with whoever
 * has the name as a whole; says which it was and, where that is a number of milliseconds, what came
 * of it.
 */
async function withPeer(
  node: Node,
  body: Body,
  these: (status: NodeStatus) => readonly string[],
  work: (id: string) => Promise<unknown>,
): Promise<unknown> {
  const name = text(body, 'peer')
  const ids = new Set(these(await node.status()))
  const meant = [...ids].filter((id) => id.startsWith(name))
  if (meant.length > 1) {
    throw usageError(`${meant.length} nodes begin with "${name}"`, 'give more of the id')
  }
  const [id = name] = meant
  const ms = await work(id)
  return typeof ms === 'number' ? { id, ms } : { id }
}

function processFigures(): { memoryBytes: number; uptimeSeconds: number } {
  return { memoryBytes: process.memoryUsage.rss(), uptimeSeconds: process.uptime() }
}

function taskChange(body: Body): GroupTaskChange {
  const task = text(body, 'task')
  const kind = text(body, 'kind')
  if (kind === 'assign') {
    const payload = new TextEncoder().encode(optional(body, 'payload', isText) ?? '')
    return { kind, task, assignee: optional(body, 'assignee', isText) ?? null, payload }
  }
  if (kind === 'take' || kind === 'release' || kind === 'done') {
    const version = optional(body, 'version', isNumber)
    return version === undefined ? { kind, task } : { kind, task, version }
  }
  throw usageError('"kind" must be assign, take, release or done')
}

function membership({ run, samples, alone }: Membership): unknown {
  return { ...plainRun(run), samples, alone }
}

/** Calls the members of a link until one answers. */
async function join(node: Node, link: string): Promise<unknown> {
  const { network, addresses } = decodeJoinLink(link)
  if (network !== node.network) throw wrongNetwork(network, node.network)
  const own = new Set(node.addresses)
  const others = addresses.filter((address) => !own.has(address))
  if (others.length === 0) throw usageError('this link is your own', 'give it to somebody else')
  await meet(node, others, async () => {
    for (const address of others) await node.dial(address)
  })
  const { nodeId, peers } = await node.status()
  return { nodeId, network, peers }
}

function text(body: Body, key: string): string {
  const value = body[key]
  if (typeof value === 'string' && value !== '') return value
  throw usageError(`"${key}" must be a text`)
}

function optional<T>(
  body: Body,
  key: string,
  check: (value: unknown) => value is T,
): T | undefined {
  const value = body[key]
  if (value === undefined || value === null) return undefined
  if (check(value)) return value
  throw usageError(`"${key}" has the wrong type`)
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isNumber = (value: unknown): value is number => typeof value === 'number'
const isColumn = (value: unknown): value is string | number => isText(value) || isNumber(value)
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(isNumber)
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText)
const isRange = (value: unknown): value is [number, number] =>
  isNumbers(value) && value.length === 2
const isTask = (value: unknown): value is Task =>
  value === 'classification' || value === 'regression'
const isSeed = (value: unknown): value is string => isText(value) && /^\d{1,20}$/.test(value)

function committee(body: Body): CommitteeMember[] {
  const { members } = body
  const isMember = (value: unknown): value is CommitteeMember =>
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    isText(value.id) &&
    (!('weight' in value) || isNumber(value.weight))
  if (Array.isArray(members) && members.every(isMember)) return members
  throw usageError('"members" must be a list of {id, weight?}')
}

function transfer(body: Body): TransferRequest {
  const microCredits = optional(body, 'microCredits', isNumber)
  if (microCredits === undefined) throw usageError('"microCredits" must be a number')
  return { to: text(body, 'to'), microCredits, memo: optional(body, 'memo', isText) }
}

function hold(body: Body): HoldRequest {
  return {
    ...transfer(body),
    arbiter: optional(body, 'arbiter', isText),
    refundableFrom: optional(body, 'refundableFrom', isNumber),
  }
}

function wait(body: Body): WaitOptions {
  return { timeoutMs: optional(body, 'timeoutMs', isNumber) }
}

/** A path from another process means nothing relative to ours. */
function isAbsolutePath(value: unknown): value is string {
  return isText(value) && path.isAbsolute(value)
}

function rowsRequest(body: Body): RowsRequest {
  const data = optional(body, 'data', isAbsolutePath)
  if (data === undefined) throw usageError('"data" must be the absolute path of a CSV file')
  return given({
    data,
    test: optional(body, 'test', isAbsolutePath),
    label: optional(body, 'label', isColumn),
    alone: optional(body, 'alone', isFlag),
    attack: optional(body, 'attack', isText) as Attack | undefined,
  })
}

function runRequest(body: Body): RunRequest {
  const layers = optional(body, 'layers', isNumbers)
  if (layers === undefined) throw usageError('"layers" must be a list of numbers')
  const seed = optional(body, 'seed', isSeed)
  return given({
    ...rowsRequest(body),
    name: optional(body, 'name', isText) ?? '',
    layers,
    activation: optional(body, 'activation', isText) as Activation | undefined,
    task: optional(body, 'task', isTask),
    classes: optional(body, 'classes', isTexts),
    range: optional(body, 'range', isRange),
    rule: optional(body, 'rule', isText) as RuleChoice | undefined,
    byzantine: optional(body, 'byzantine', isNumber),
    radius: optional(body, 'radius', isNumber),
    mixing: optional(body, 'mixing', isFlag),
    reference: optional(body, 'reference', isAbsolutePath),
    compression: optional(body, 'compression', isText) as CompressionChoice | undefined,
    keep: optional(body, 'keep', isNumber),
    secureAggregation: optional(body, 'secureAggregation', isFlag),
    commitReveal: optional(body, 'commitReveal', isFlag),
    noise: optional(body, 'noise', isNumber),
    clip: optional(body, 'clip', isNumber),
    delta: optional(body, 'delta', isNumber),
    ...eachNumber((key) => optional(body, key, isNumber)),
    seed: seed === undefined ? undefined : BigInt(seed),
  })
}
