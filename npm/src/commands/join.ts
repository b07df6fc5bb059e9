/** `join LINK`: by the running node if there is one, else by a node that is started for it. */
import * as fs from 'node:fs'
import { ControlClient } from '../client.js'
import { CONFIG_BYTES_MAX, Config, updateConfigFile } from '../config.js'
import type { Context } from '../context.js'
import { exists, readBounded, writeAtomic } from '../files.js'
import { hasFinality } from '../genesis.js'
import { type Home, networkDirectory } from '../home.js'
import { forgetHistory, hasIdentity } from '../identity.js'
import { decodeJoinLink, type JoinLink } from '../link.js'
import { lockOwner } from '../lock.js'
import { shortId } from '../output.js'
import { patiently } from '../progress.js'
import type { PeerView } from '../wasm.js'
import { loadMesh } from '../wasm.js'
import { initialise, leftText } from './init.js'
import { CALLING, runNode, type StartOptions } from './start.js'

interface Joined {
  readonly nodeId: string
  readonly network: string
  readonly peers: readonly PeerView[]
}

/** It ends in order when it is interrupted. */
export const endsItself = true

/** Becomes a member. */
export async function run(context: Context, options: StartOptions, link: string): Promise<number> {
  const target = decodeJoinLink(link)
  const client = ControlClient.find(context.home)
  if (client !== undefined) {
    const { stderr, talkative } = context.output
    const call = (): Promise<Joined> => client.call<Joined>('join', { link })
    const joined = await patiently(stderr, CALLING, call, talkative)
    context.output.result(joined, () => `joined; connected to ${peersText(joined.peers)}`)
    return 0
  }
  const undo = await prepareHome(context, target, link)
  let isMember = false
  try {
    return await runNode(context, { ...options, join: link }, () => {
      isMember = true
    })
  } finally {
    if (!isMember) undo()
  }
}

/**
 * A home that has not been used yet takes the network of the link. One that belongs to another
 * network is moved over: every network has a history of its own in the home, so nothing is lost.
 *
 * @returns puts everything back, for a join that reached nobody
 */
async function prepareHome(context: Context, target: JoinLink, link: string): Promise<() => void> {
  const { home, around } = context
  if (!hasIdentity(home)) {
    const hadDirectory = exists(home.directory)
    const settings = keep(home.configFile)
    const { created } = initialise(await loadMesh(), home, context, { join: link })
    return () => {
      removeNewHome(home, target.network, hadDirectory, created)
      settings()
    }
  }
  const own = Config.load(home, around).get('network')
  if (own === target.network) return () => undefined
  const finality = hasFinality(await loadMesh(), home, own)
  context.output.note(leftText({ network: own, finality }))
  const settings = keep(home.configFile)
  updateConfigFile(home.configFile, {
    network: target.network,
    bootstrap: [...target.addresses],
    name: target.meshName ?? '',
  })
  return settings
}

/** Remembers a file's content; calling the result brings it back. */
function keep(file: string): () => void {
  const content = exists(file) ? readBounded(file, CONFIG_BYTES_MAX) : undefined
  return () => {
    if (content !== undefined) writeAtomic(file, content)
    else fs.rmSync(file, { force: true })
  }
}

/** Removes a home that was made for a network it never reached; nobody has seen its identity. */
function removeNewHome(
  home: Home,
  network: string,
  hadDirectory: boolean,
  created: readonly string[],
): void {
  if (lockOwner(home.lockFile) !== undefined) return
  for (const file of created) fs.rmSync(file, { force: true })
  fs.rmSync(networkDirectory(home, network), { recursive: true, force: true })
  forgetHistory(home, network)
  if (!hadDirectory) fs.rmSync(home.directory, { recursive: true, force: true })
}

function peersText(peers: readonly PeerView[]): string {
  return peers.length === 0 ? 'nobody yet' : peers.map(({ id }) => shortId(id)).join(', ')
}
