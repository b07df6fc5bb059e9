/**
 * Whether a member of a join link has been reached.
 *
 * Being connected to somebody is not enough: a node that has other peers would take every link for
 * reached. A peer that we called has its transport id at the end of its address, which is compared
 * with the link's. A peer that called us has none; of it we know that the core calls nobody it is
 * connected to, so a link whose addresses are not called has been reached before.
 */
import { SynapticError } from '../errors.js'
import type { Node, NodeEvent } from '../node.js'

/** How long a called member may take to answer, in milliseconds. */
const MEET_TIMEOUT_MS = 15_000
/** How long the others of a link may take once one of them is found to be of another network. */
const OTHERS_TIMEOUT_MS = 2_000
/** How often it is looked whether a member refused, in milliseconds. */
const DOOR_MS = 200
/** How the core says that a member refused this node; the other way round it is no reason to end. */
const REFUSED =
  /^(uninvited|member-ended|invite-[a-z]+): the member does not let this node in: (.+)$/
/** The core calls within a few milliseconds, if it calls at all. */
const CALL_MS = 1_000

/**
 * Waits until a member at one of these addresses is connected, or is found to be already.
 *
 * @param call has the addresses called, where the start of the node has not done so
 * @throws SynapticError `unreachable`, `wrong-network`, `uninvited`, `invite-*`
 */
export async function meet(
  node: Node,
  addresses: readonly string[],
  call: () => Promise<void> = async () => undefined,
): Promise<void> {
  const ids = new Set(addresses.map(peerIdOf))
  const isOfLink = (address: string | undefined): boolean =>
    address?.includes('/p2p/') === true && ids.has(peerIdOf(address))
  const connected = async (): Promise<boolean> =>
    (await node.status()).peers.some(({ address }) => isOfLink(address))
  // Subscribed before the call, so that no answer is missed.
  const events = node.events()
  let refusal: SynapticError | undefined
  try {
    await call()
    if (await connected()) return
    const outcome = await answerOf(node, addresses, events, isOfLink)
    if (outcome === 'connected') return
    refusal = outcome
  } finally {
    await events.return?.()
  }
  if (await connected()) return
  // Whoever called us while we called them has kept one connection of the two, which may be theirs.
  const called = addresses.map((address) => node.calls.last(address, MEET_TIMEOUT_MS))
  if (called.includes('answered') && (await node.status()).peers.length > 0) return
  throw refusal ?? unreachable()
}

/** Waits for the first answer; undefined where there is none, an error where it is a refusal. */
async function answerOf(
  node: Node,
  addresses: readonly string[],
  events: AsyncIterableIterator<NodeEvent>,
  isOfLink: (address: string | undefined) => boolean,
): Promise<'connected' | SynapticError | undefined> {
  const giveUp = (): void => void events.return?.()
  let isCalled = true
  const look = setTimeout(() => {
    isCalled = addresses.some((address) => node.calls.last(address, MEET_TIMEOUT_MS) !== 'none')
    if (!isCalled) giveUp()
  }, CALL_MS)
  let timer = setTimeout(giveUp, MEET_TIMEOUT_MS)
  let refusal: SynapticError | undefined
  // A door that stays shut makes no event: the core tries again, in case it opens.
  const door = setInterval(async () => {
    const why = await shutOut(node, addresses).catch(() => undefined)
    if (why === undefined || refusal !== undefined) return
    refusal = why
    if (addresses.length <= 1) return giveUp()
    clearTimeout(timer)
    timer = setTimeout(giveUp, OTHERS_TIMEOUT_MS)
  }, DOOR_MS)
  try {
    for await (const event of events) {
      if (event.type === 'peer' && event.state === 'connected' && isOfLink(event.address)) {
        return 'connected'
      }
      if (event.type !== 'warning' || event.code !== 'wrong-network') continue
      refusal ??= new SynapticError(event.code, event.message, event.hint)
      clearTimeout(timer)
      // The only one's answer needs no second opinion.
      if (addresses.length <= 1) break
      timer = setTimeout(giveUp, OTHERS_TIMEOUT_MS)
    }
  } finally {
    clearTimeout(timer)
    clearTimeout(look)
    clearInterval(door)
  }
  return isCalled ? refusal : 'connected'
}

/** Why a member of the link does not let this node in, if one said so. */
async function shutOut(
  node: Node,
  addresses: readonly string[],
): Promise<SynapticError | undefined> {
  const ids = new Set(addresses.map(peerIdOf))
  for (const { address, reason } of await node.unreached()) {
    const [, code, why] = REFUSED.exec(reason ?? '') ?? []
    if (code !== undefined && ids.has(peerIdOf(address))) {
      return new SynapticError(code, why ?? '', 'ask for a join link with a new invite')
    }
  }
  return undefined
}

function peerIdOf(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1)
}

function unreachable(): SynapticError {
  return new SynapticError(
    'unreachable',
    `nobody at the addresses of the link answered within ${MEET_TIMEOUT_MS / 1_000} seconds`,
    'check that the member who gave you the link is running, and ask for a fresh link',
  )
}
