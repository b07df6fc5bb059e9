/**
 * The join link: the one text that lets somebody into a mesh.
 *
 * `http://127.0.0.1:PORT/#join=<base64url of {"v":1,"n":network,"a":[addresses],"m"?:name}>`. The
 * payload is in the fragment, so it reaches no server. The command line and a browser tab take the
 * same link. No imports beyond the error shape and no DOM: Node reads it with this very file.
 *
 * Decoding is total: any text gives either a complete `JoinLink` or one `Failure` that says what is
 * wrong with it. Nothing in a decoded link is trusted further than "dial this".
 */
import { Failure } from './problem.ts'

/** What a link says: which network, where to dial, and what the mesh calls itself. */
export interface JoinLink {
  /** Network id: 32 bytes as 52 characters of lower-case base32. */
  readonly network: string
  /** Multiaddresses of WebSocket listeners, in the order to try them; at least one. */
  readonly addresses: readonly string[]
  /** The mesh's own name, for people. */
  readonly name: string | null
}

/** Characters of a link payload: 32 addresses of ordinary length fit with room. */
export const LINK_CHARS_MAX = 8192
/** Addresses in one link: more than a mesh has founders, few enough to dial them all. */
export const LINK_ADDRESSES_MAX = 32
/** Characters of one multiaddress; the longest form (dns, tls, ws, p2p) needs about 200. */
export const LINK_ADDRESS_CHARS_MAX = 256
/** Characters of the mesh name. Arbitrary, sane. */
export const LINK_NAME_CHARS_MAX = 64

const ASK_AGAIN =
  'Copy the whole link again, or ask for a new one: `npx synaptic-mesh start` prints it.'

/** 52 base32 characters hold 260 bits, so the last one may only carry the bit that is left. */
const NETWORK = /^[a-z2-7]{51}[aq]$/
const ADDRESS =
  /^\/(?:ip4\/\d{1,3}(?:\.\d{1,3}){3}|ip6\/[0-9a-fA-F:.]{2,45}|dns[46]?\/[A-Za-z0-9.-]{1,253})\/tcp\/(\d{1,5})\/(?:ws|wss|tls\/ws)(?:\/p2p\/[1-9A-HJ-NP-Za-km-z]{16,128})?$/

/** The payload text (what follows `#join=`). The inverse of `decodePayload`. */
export function encodePayload(link: JoinLink): string {
  const body: Record<string, unknown> = { v: 1, n: link.network, a: link.addresses }
  if (link.name !== null) body.m = link.name
  const bytes = new TextEncoder().encode(JSON.stringify(body))
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** The whole link, for the dashboard at `origin`. */
export function encodeLink(origin: string, link: JoinLink): string {
  return `${origin.replace(/\/+$/, '')}/#join=${encodePayload(link)}`
}

/**
 * Reads a full link, a bare fragment (`#join=...`) or the payload alone.
 *
 * @throws Failure with code `link-*` naming what is wrong.
 */
export function decodeLink(text: string): JoinLink {
  const trimmed = text.trim()
  const at = trimmed.indexOf('#')
  if (at < 0 && /^[a-z]+:\/\//i.test(trimmed)) {
    throw new Failure('link-missing', 'This link has no #join= part.', ASK_AGAIN)
  }
  const fragment = at < 0 ? trimmed : trimmed.slice(at + 1)
  const named = new URLSearchParams(fragment).get('join')
  if (at >= 0 && named === null) {
    throw new Failure('link-missing', 'This link has no #join= part.', ASK_AGAIN)
  }
  return decodePayload(named ?? fragment)
}

/**
 * Reads what follows `#join=`.
 *
 * @throws Failure with code `link-*` naming what is wrong.
 */
export function decodePayload(payload: string): JoinLink {
  const body = readObject(readText(payload))
  if (body.v !== 1) {
    throw new Failure(
      'link-version',
      `This join link is of version ${describe(body.v)}; this page reads version 1.`,
      'Start the serving node with a version that matches, then use the link it prints.',
    )
  }
  const unknown = Object.keys(body).find((key) => !['v', 'n', 'a', 'm'].includes(key))
  if (unknown !== undefined) throw malformed(`it has an unknown part "${unknown.slice(0, 16)}"`)
  return {
    network: readNetwork(body.n),
    addresses: readAddresses(body.a),
    name: readName(body.m),
  }
}

function readText(payload: string): string {
  if (payload === '') throw malformed('it is empty')
  if (payload.length > LINK_CHARS_MAX) {
    throw malformed(`it has ${payload.length} characters; ${LINK_CHARS_MAX} are allowed`)
  }
  const foreign = /[^A-Za-z0-9_-]/.exec(payload)
  if (foreign !== null) throw malformed(`character ${foreign.index + 1} does not belong in it`)
  try {
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw malformed('it was cut or changed on the way', cause)
  }
}

function readObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw malformed('it was cut or changed on the way', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('it does not hold an object')
  }
  return value as Record<string, unknown>
}

function readNetwork(value: unknown): string {
  if (typeof value !== 'string' || !NETWORK.test(value)) {
    throw malformed('its network id is not 52 characters of base32')
  }
  return value
}

function readAddresses(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed('it names no address to dial')
  if (value.length > LINK_ADDRESSES_MAX) {
    throw malformed(`it names ${value.length} addresses; ${LINK_ADDRESSES_MAX} are allowed`)
  }
  value.forEach((address: unknown, index) => {
    if (!isAddress(address)) throw malformed(`address ${index + 1} is not a WebSocket multiaddress`)
  })
  return [...new Set(value as string[])]
}

function isAddress(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > LINK_ADDRESS_CHARS_MAX) return false
  const match = ADDRESS.exec(value)
  if (match === null) return false
  const port = Number(match[1])
  const octets = /^\/ip4\/([^/]+)/.exec(value)?.[1]?.split('.') ?? []
  return port >= 1 && port <= 65535 && octets.every((octet) => Number(octet) <= 255)
}

function readName(value: unknown): string | null {
  if (value === undefined) return null
  // Control characters would let a name rewrite a terminal line.
  const printable = typeof value === 'string' && !/\p{Cc}/u.test(value)
  if (!printable || value.length === 0 || value.length > LINK_NAME_CHARS_MAX) {
    throw malformed(`its name is not a text of 1 to ${LINK_NAME_CHARS_MAX} characters`)
  }
  return value
}

function malformed(what: string, cause?: unknown): Failure {
  return new Failure('link-malformed', `This join link cannot be used: ${what}.`, ASK_AGAIN, cause)
}

function describe(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string'
    ? String(value).slice(0, 16)
    : 'unknown'
}
