/**
 * Who may talk to a server on this machine.
 *
 * Any page the user visits can send requests to loopback ports and open WebSockets to them, and a
 * hostile name server can make a foreign name point here (DNS rebinding). So: `Host` must be this
 * server itself, `Origin` must be absent (a program) or a page of this machine, and the control
 * API wants a token besides.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Bytes of the control token: 256 bits, out of reach of guessing. */
const TOKEN_BYTES = 32

/** Names under which a loopback server is reached. */
const LOOPBACK_NAMES: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/** A fresh control token. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/** Compares a given token with the right one in constant time. */
export function tokenMatches(given: string | undefined, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(right))
}

/** The token of an `Authorization: Bearer ...` header. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]{1,128})$/.exec(header ?? '')?.[1]
}

/** Whether a `Host` header names the loopback server on this port and nothing else. */
export function isOwnHost(header: string | undefined, port: number): boolean {
  return LOOPBACK_NAMES.some((name) => header === `${name}:${port}`)
}

/** Whether an `Origin` header is absent or is the page served on this very port. */
export function isOwnOrigin(header: string | undefined, port: number): boolean {
  return header === undefined || LOOPBACK_NAMES.some((name) => header === `http://${name}:${port}`)
}

/**
 * Whether a page may open a socket to the mesh listener: none at all (a program), or one served
 * from this machine on any port, because a tab opened from one member's dashboard calls the
 * others too.
 */
export function isAllowedPage(origin: string | undefined): boolean {
  if (origin === undefined) return true
  const name = /^http:\/\/([^/]+?)(?::\d{1,5})?$/.exec(origin)?.[1]
  return name !== undefined && LOOPBACK_NAMES.includes(name)
}

/** Loopback hosts that a content policy can name; it has no words for IPv6 addresses. */
const POLICY_HOSTS: readonly string[] = ['127.0.0.1', 'localhost']

/** Headers of everything the dashboard server of a node with this listener sends. */
export function securityHeaders(meshHost: string): Readonly<Record<string, string>> {
  // A tab calls members on ports it learns on the way, so the ports are open; with a listener
  // elsewhere the node itself is out of reach of these hosts, and members may be on other machines.
  const sockets = POLICY_HOSTS.includes(meshHost)
    ? POLICY_HOSTS.map((host) => `ws://${host}:*`).join(' ')
    : 'ws: wss:'
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "style-src 'self'",
      "img-src 'self' data:",
      "font-src 'self'",
      "manifest-src 'self'",
      "worker-src 'self'",
      `connect-src 'self' ${sockets}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  }
}
