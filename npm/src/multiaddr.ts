/**
 * Multiaddrs as far as a person can mistype them: what a name leads to is kept for good and read by
 * others, so a port that none can be is refused before anything is written.
 */
import { SynapticError } from './errors.js'

const PORT_MAX = 65_535
/** Protocols with a value after them that a node's address may have, and the shape of the value. */
const VALUES: Readonly<Record<string, RegExp>> = {
  ip4: /^(\d{1,3})(\.\d{1,3}){3}$/,
  ip6: /^[\da-fA-F:.]{2,45}$/,
  dns: /^[\w.-]{1,253}$/,
  dns4: /^[\w.-]{1,253}$/,
  dns6: /^[\w.-]{1,253}$/,
  dnsaddr: /^[\w.-]{1,253}$/,
  tcp: /^\d{1,5}$/,
  udp: /^\d{1,5}$/,
  p2p: /^[1-9A-HJ-NP-Za-km-z]{40,60}$/,
}

/** What is wrong with a multiaddr; empty where nothing is. Protocols that are not known pass. */
export function multiaddrFault(text: string): string {
  const [first, ...parts] = text.split('/')
  if (first !== '' || parts.length === 0 || parts.includes('')) return 'it is no multiaddr'
  for (let at = 0; at < parts.length; at += 1) {
    const protocol = parts[at] ?? ''
    if (!Object.hasOwn(VALUES, protocol)) continue
    at += 1
    const value = parts[at] ?? ''
    if (!isValue(protocol, value)) return `${value === '' ? 'nothing' : value} is no ${protocol}`
  }
  return ''
}

function isValue(protocol: string, value: string): boolean {
  if (!(VALUES[protocol]?.test(value) ?? true)) return false
  if (protocol === 'tcp' || protocol === 'udp') return Number(value) <= PORT_MAX
  return protocol !== 'ip4' || value.split('.').every((part) => Number(part) <= 255)
}

/**
 * Refuses addresses that cannot be any.
 *
 * @throws SynapticError `address-invalid`
 */
export function requireMultiaddrs(addresses: readonly string[]): void {
  for (const address of addresses) {
    const fault = multiaddrFault(address)
    if (fault === '') continue
    throw new SynapticError(
      'address-invalid',
      `${address} cannot be an address: ${fault}`,
      'nothing was written; give one such as /dns/example.org/tcp/443/wss',
    )
  }
}
