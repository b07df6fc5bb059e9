/**
 * The join link: all that a stranger needs to become a member.
 *
 * `http://127.0.0.1:PORT/#join=<base64url of JSON {v, n, a, m?}>`: version, network id, addresses
 * of members, name of the mesh. It stands in the fragment, which a browser never sends to a
 * server. A link comes from other people, so reading one is total and bounded.
 */
import { SynapticError } from './errors.js'

/** What a join link says. */
export interface JoinLink {
  /** Id of the network, 52 characters of base32. */
  readonly network: string
  /** Multiaddrs of members that can be called. */
  readonly addresses: readonly string[]
  /** Name of the mesh, if it has one. */
  readonly meshName?: string | undefined
}

/** Version of the format. */
const VERSION = 1
/** A browser's address bar takes far more; nobody needs it. */
const LINK_LENGTH_MAX = 8_192
/** More addresses than a member calls. */
export const LINK_ADDRESSES_MAX = 16
/** Longest address that is accepted. */
const ADDRESS_LENGTH_MAX = 256
/** As the core's limit on names. */
const NAME_LENGTH_MAX = 64

const NETWORK = /^[a-z2-7]{52}$/
const ADDRESS =
  /^\/(ip4|ip6|dns|dns4|dns6)\/[0-9A-Za-z.:-]+\/tcp\/\d{1,5}\/(ws|wss|tls\/ws)\/p2p\/\w{16,128}$/

/** The link that opens the dashboard served at `origin` as a member of the network. */
export function encodeJoinLink(origin: string, link: JoinLink): string {
  const body = {
    v: VERSION,
    n: link.network,
    a: link.addresses,
    ...(link.meshName === undefined || link.meshName === '' ? {} : { m: link.meshName }),
  }
  const code = toBase64Url(new TextEncoder().encode(JSON.stringify(body)))
  return `${origin}/#join=${code}`
}

/**
 * Reads a join link.
 *
 * @throws SynapticError `bad-link` saying what is wrong with it
 */
export function decodeJoinLink(text: string): JoinLink {
  if (text.length > LINK_LENGTH_MAX)
    throw badLink(`it is longer than ${LINK_LENGTH_MAX} characters`)
  const code = /#join=([A-Za-z0-9_-]+)$/.exec(text.trim())?.[1]
  if (code === undefined) throw badLink('it has no "#join=" part')
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64Url(code)))
  } catch {
    throw badLink('the part after "#join=" is damaged or cut off')
  }
  if (typeof body !== 'object' || body === null) throw badLink('it holds no link data')
  const { v, n, a, m } = body as Record<string, unknown>
  if (v !== VERSION) throw badLink(`it has version ${JSON.stringify(v)}; known is ${VERSION}`)
  if (typeof n !== 'string' || !NETWORK.test(n)) throw badLink('its network id is not valid')
  if (!isAddressList(a)) throw badLink('its addresses are not valid')
  return { network: n, addresses: a, meshName: meshName(m) }
}

/** Without `Buffer`, because pages read links too. */
function toBase64Url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function fromBase64Url(code: string): Uint8Array {
  const binary = atob(code.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

function isAddressList(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= LINK_ADDRESSES_MAX &&
    value.every(
      (entry) =>
        typeof entry === 'string' && entry.length <= ADDRESS_LENGTH_MAX && ADDRESS.test(entry),
    )
  )
}

function meshName(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const valid =
    typeof value === 'string' && value.length <= NAME_LENGTH_MAX && !/[\p{Cc}]/u.test(value)
  if (!valid) throw badLink('its mesh name is not valid')
  return value
}

function badLink(reason: string): SynapticError {
  return new SynapticError(
    'bad-link',
    `this is not a join link: ${reason}`,
    'copy the whole link that `synaptic-mesh start` printed, in quotes',
  )
}
