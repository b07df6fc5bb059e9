/**
 * The join link: all that a stranger needs to become a member.
 *
 * `http://127.0.0.1:PORT/#join=<base64url of JSON {v, n, a, m?, g?, i?}>`: version, network id,
 * addresses of members, name of the mesh, and the genesis of the network in base64url, if it has
 * one: the id of the network is its hash, which the core checks. A link into a permissioned network
 * may carry an invite, beside the genesis that says what it is good for; whoever has such a link may
 * enter, so it is a secret. It stands in the fragment, which a browser never sends to a server. A
 * link comes from other people, so reading one is total and bounded, and nothing in it is trusted
 * further than "dial this". The command line, the library and the dashboard read links with this very
 * file, so there is nothing of Node and nothing of a page in it.
 */
import { SynapticError } from './errors.js'

/** What a join link says. */
export interface JoinLink {
  /** Id of the network, 52 characters of base32. */
  readonly network: string
  /** Multiaddrs of members, in the order to call them; at least one, each once. */
  readonly addresses: readonly string[]
  /** Name of the mesh, for people, if it has one. */
  readonly meshName?: string | undefined
  /** What the network began with, if anything is ever final in it. */
  readonly genesis?: Uint8Array | undefined
  /** An invite, if the network is permissioned; whoever has it may enter. */
  readonly invite?: Uint8Array | undefined
}

/** Version of the format. */
const VERSION = 1
/** The largest genesis and invite, twice in base64, and the rest; an address bar takes far more. */
const LINK_LENGTH_MAX = 51_200
/** As the core's bound: a committee of 100 takes 4 KB. */
export const GENESIS_BYTES_MAX = 16_384
/** As the core's bound. */
export const INVITE_BYTES_MAX = 6_144
/** More addresses than a member calls. */
export const LINK_ADDRESSES_MAX = 16
/** Longest address that is accepted: the longest form (dns, tls, ws, p2p) needs about 200. */
const ADDRESS_LENGTH_MAX = 256
/** As the setting `name`. */
const NAME_LENGTH_MAX = 64

/** 52 characters hold 260 bits: the last one may only carry the one bit that is left of 256. */
const NETWORK = /^[a-z2-7]{51}[aq]$/
/** What the core dials (`net/transport/address.rs`), without the path of a socket. */
const ADDRESS =
  /^\/(?:ip4\/(\d{1,3}(?:\.\d{1,3}){3})|ip6\/[0-9a-fA-F:.]{2,45}|dns[46]?\/[\w.-]{1,253})\/tcp\/(\d{1,5})\/(?:ws|wss|tls\/ws)(?:\/p2p\/[1-9A-HJ-NP-Za-km-z]{16,128})?$/

/** The link that opens the dashboard served at `origin` as a member of the network. */
export function encodeJoinLink(origin: string, link: JoinLink): string {
  const body = {
    v: VERSION,
    n: link.network,
    a: link.addresses,
    ...(link.meshName === undefined || link.meshName === '' ? {} : { m: link.meshName }),
    ...(link.genesis === undefined ? {} : { g: toBase64Url(link.genesis) }),
    ...(link.invite === undefined ? {} : { i: toBase64Url(link.invite) }),
  }
  const code = toBase64Url(new TextEncoder().encode(JSON.stringify(body)))
  return `${origin.replace(/\/+$/, '')}/#join=${code}`
}

/**
 * Reads a join link, or its fragment alone.
 *
 * @throws SynapticError `bad-link` saying what is wrong with it
 */
export function decodeJoinLink(text: string): JoinLink {
  if (typeof text !== 'string') throw badLink('it is no text')
  if (text.length > LINK_LENGTH_MAX) {
    throw badLink(`it is longer than ${LINK_LENGTH_MAX} characters`)
  }
  const code = /#join=(.+)$/.exec(text.trim())?.[1]
  if (code === undefined) throw badLink('it has no "#join=" part')
  const { v, n, a, m, g, i, ...others } = readObject(code)
  if (v !== VERSION) {
    throw badLink(`it has version ${JSON.stringify(v)?.slice(0, 16)}; known is ${VERSION}`)
  }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw badLink(`it has an unknown part "${unknown.slice(0, 16)}"`)
  const link = { network: readNetwork(n), addresses: readAddresses(a), meshName: readName(m) }
  const genesis = g === undefined ? undefined : readBytes(g, 'genesis', GENESIS_BYTES_MAX)
  const invite = i === undefined ? undefined : readBytes(i, 'invite', INVITE_BYTES_MAX)
  // Without the genesis the network would be taken for an open one, and joined as that.
  if (invite !== undefined && genesis === undefined)
    throw badLink('it has an invite and no genesis')
  return {
    ...link,
    ...(genesis === undefined ? {} : { genesis }),
    ...(invite === undefined ? {} : { invite }),
  }
}

function readObject(code: string): Record<string, unknown> {
  const foreign = /[^A-Za-z0-9_-]/.exec(code)
  if (foreign !== null) throw badLink(`character ${foreign.index + 1} does not belong in it`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64Url(code)))
  } catch {
    throw badLink('the part after "#join=" is damaged or cut off')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badLink('it holds no link data')
  }
  return value as Record<string, unknown>
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

function readNetwork(value: unknown): string {
  if (typeof value === 'string' && NETWORK.test(value)) return value
  throw badLink('its network id is not valid')
}

function readAddresses(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw badLink('it names no address to call')
  if (value.length > LINK_ADDRESSES_MAX) {
    throw badLink(`it names ${value.length} addresses; ${LINK_ADDRESSES_MAX} are allowed`)
  }
  const wrong = value.findIndex((address) => !isAddress(address))
  if (wrong >= 0) throw badLink(`its address ${wrong + 1} is not one of a WebSocket`)
  return [...new Set(value as string[])]
}

function isAddress(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > ADDRESS_LENGTH_MAX) return false
  const match = ADDRESS.exec(value)
  if (match === null) return false
  const octets = match[1]?.split('.').map(Number) ?? []
  const port = Number(match[2])
  return port >= 1 && port <= 65_535 && octets.every((octet) => octet <= 255)
}

function readName(value: unknown): string | undefined {
  if (value === undefined) return undefined
  // Control characters would let a name rewrite a line of a terminal.
  const printable = typeof value === 'string' && !/\p{Cc}/u.test(value)
  if (!printable || value.length === 0 || value.length > NAME_LENGTH_MAX) {
    throw badLink(`its name is not a text of 1 to ${NAME_LENGTH_MAX} characters`)
  }
  return value
}

function readBytes(value: unknown, what: string, bytesMax: number): Uint8Array {
  if (typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value)) {
    try {
      const bytes = fromBase64Url(value)
      if (bytes.length <= bytesMax && toBase64Url(bytes) === value) return bytes
    } catch {
      // Said below, like everything else that is none.
    }
  }
  throw badLink(`its ${what} is not a text of at most ${bytesMax} bytes in base64url`)
}

function badLink(reason: string): SynapticError {
  return new SynapticError(
    'bad-link',
    `this is not a join link: ${reason}`,
    'copy the whole link that `synaptic-mesh start` printed, in quotes',
  )
}
