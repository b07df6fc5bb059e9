/**
 * Who this tab is: a profile slot held by a Web Lock, and secrets wrapped at rest.
 *
 * One identity has one writer. Each network has numbered slots per browser; a tab takes the first
 * whose lock is free and holds the lock as long as its worker lives, so a second tab becomes a second
 * member and not a second writer of the first. A reloaded tab asks for its own slot again and waits
 * for the worker it replaces to let go.
 *
 * The secrets of a node are encrypted by an AES-GCM key that script cannot export; the slot is bound
 * in as associated data. That protects the stored bytes (a copied profile directory still needs the
 * browser's key store); it does not protect against script running in this very origin.
 */
import type { Database, Profile } from './database.ts'
import { Failure } from './problem.ts'

/** Tabs of one browser in one network. Each is a whole node; more would starve each other. */
export const SLOTS_MAX = 32
/** How long a reloaded tab waits for its predecessor's lock: unloading takes far less. */
const HANDOVER_MS = 3000
/** Bytes of an AES-GCM nonce (NIST SP 800-38D, 8.2: 96 bits). */
const IV_BYTES = 12

/** What makes identities: the `mesh` artifact. */
type Maker = Pick<typeof import('../../wasm/mesh.js'), 'generateSecrets' | 'inspectSecrets'>

/** A slot this worker holds until it ends. */
export interface Claim {
  readonly network: string
  readonly slot: number
}

/** `<network>/<slot>`: the key of everything a profile owns. */
export function profileId(claim: Claim): string {
  return `${claim.network}/${claim.slot}`
}

/** Fails early, and with words, where the browser lacks what an identity needs. */
export function requireSecureContext(): void {
  if (!globalThis.isSecureContext || globalThis.crypto?.subtle === undefined) {
    throw new Failure(
      'insecure-context',
      'The browser offers no encryption on this address, so an identity cannot be kept safely.',
      'Open the link as http://127.0.0.1 on the machine of the node, or through https.',
    )
  }
  if (navigator.locks === undefined) {
    throw new Failure(
      'no-web-locks',
      'This browser has no Web Locks, which keep two tabs from sharing one identity.',
      'Use a current Chromium, Firefox or Safari (15.4 or later).',
    )
  }
}

/**
 * Takes a slot of `network`: `preferred` if its former holder lets go in time, else the first free.
 * It is held until `until` settles, or as long as the worker lives.
 *
 * @throws Failure `too-many-tabs`.
 */
export async function claimSlot(
  network: string,
  preferred: number | null,
  until: Promise<unknown> = new Promise(() => {}),
): Promise<Claim> {
  const name = (slot: number) => `synaptic-mesh/${network}/${slot}`
  if (preferred !== null) {
    const signal = AbortSignal.timeout(HANDOVER_MS)
    if (await hold(name(preferred), { signal }, until)) return { network, slot: preferred }
  }
  for (let slot = 0; slot < SLOTS_MAX; slot += 1) {
    if (await hold(name(slot), { ifAvailable: true }, until)) return { network, slot }
  }
  throw new Failure(
    'too-many-tabs',
    `${SLOTS_MAX} tabs of this browser are already members of this mesh.`,
    'Close one of them, then reload this tab.',
  )
}

/** Whether the lock was granted; if so it is held until `until` settles. */
function hold(name: string, options: LockOptions, until: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    navigator.locks
      .request(name, options, (lock) => {
        resolve(lock !== null)
        return lock === null ? undefined : until
      })
      .catch(() => resolve(false))
  })
}

/** The profile used last, for a tab that was opened without a link. */
export function latest(profiles: readonly Profile[], network: string | null): Profile | null {
  const mine = profiles.filter((profile) => network === null || profile.network === network)
  return mine.reduce<Profile | null>(
    (best, profile) => (best === null || profile.usedAt > best.usedAt ? profile : best),
    null,
  )
}

/** The secrets of `claim`: unwrapped, or made, wrapped and stored before they are used. */
export async function secretsOf(
  database: Database,
  mesh: Maker,
  claim: Claim,
  { meshName, addresses, genesis }: Pick<Profile, 'meshName' | 'addresses' | 'genesis'>,
): Promise<{ secrets: Uint8Array; profile: Profile }> {
  const id = profileId(claim)
  const known = await database.get('profiles', id)
  // A link may come without the genesis; what was told once is kept.
  const began = genesis ?? known?.genesis
  const kept = began === undefined ? {} : { genesis: began }
  const fresh = { meshName, addresses, ...kept, usedAt: Date.now() }
  if (known !== undefined) {
    const profile = { ...known, ...fresh }
    const secrets = await unwrap(known)
    await database.put('profiles', profile)
    return { secrets, profile }
  }
  const secrets = mesh.generateSecrets()
  const { nodeId } = mesh.inspectSecrets(secrets)
  const profile = { id, ...claim, nodeId, ...fresh, ...(await wrap(id, secrets)) }
  await database.put('profiles', profile)
  return { secrets, profile }
}

async function wrap(
  id: string,
  secrets: Uint8Array,
): Promise<Pick<Profile, 'key' | 'iv' | 'wrapped'>> {
  const algorithm = { name: 'AES-GCM', length: 256 }
  const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const wrapped = await crypto.subtle.encrypt(parameters(id, iv), key, new Uint8Array(secrets))
  return { key, iv, wrapped }
}

async function unwrap(profile: Profile): Promise<Uint8Array> {
  try {
    const { id, iv, key, wrapped } = profile
    return new Uint8Array(await crypto.subtle.decrypt(parameters(id, iv), key, wrapped))
  } catch (cause) {
    throw new Failure(
      'identity-unreadable',
      'The stored identity of this tab cannot be decrypted any more.',
      'Clear the site data of this address to start with a new identity.',
      cause,
    )
  }
}

function parameters(id: string, iv: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(id) }
}
