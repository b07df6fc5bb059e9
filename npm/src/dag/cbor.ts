/**
 * DAG-CBOR (https://ipld.io/specs/codecs/dag-cbor/) as plain values, to show what a vertex says.
 *
 * The core has checked the bytes: they are canonical. Values are those of DAG-JSON: a link is
 * `{"/": CID}`, bytes are `{"/": {"bytes": base64}}`; integers beyond 2^53 are bigints.
 */

/** A value of DAG-JSON. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Value[]
  | { readonly [name: string]: Value }

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** The one value in these bytes. */
export function decodeDagCbor(bytes: Uint8Array): Value {
  return new Decoder(bytes).value()
}

class Decoder {
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  value(): Value {
    const head = this.#view.getUint8(this.#at)
    const [major, minor] = [head >> 5, head & 31]
    this.#at += 1
    if (major === 7) return this.#simple(minor)
    const argument = this.#argument(minor)
    const count = Number(argument)
    switch (major) {
      case 0:
        return plain(argument)
      case 1:
        return plain(-1n - argument)
      case 2:
        return { '/': { bytes: Buffer.from(this.#take(count)).toString('base64') } }
      case 3:
        return new TextDecoder().decode(this.#take(count))
      case 4:
        return Array.from({ length: count }, () => this.value())
      case 5:
        return Object.fromEntries(
          Array.from({ length: count }, () => [String(this.value()), this.value()]),
        )
      default:
        return this.#link()
    }
  }

  /** Tag 42, the only one: the bytes of a CID behind a zero. */
  #link(): Value {
    const head = this.#view.getUint8(this.#at)
    this.#at += 1
    const bytes = this.#take(Number(this.#argument(head & 31)))
    return { '/': `b${base32(bytes.subarray(1))}` }
  }

  #simple(minor: number): Value {
    if (minor === 20 || minor === 21) return minor === 21
    if (minor !== 27) return null
    const number = this.#view.getFloat64(this.#at)
    this.#at += 8
    return number
  }

  #argument(minor: number): bigint {
    if (minor < 24) return BigInt(minor)
    const width = 1 << (minor - 24)
    let argument = 0n
    for (const byte of this.#take(width)) argument = argument * 256n + BigInt(byte)
    return argument
  }

  #take(count: number): Uint8Array {
    const { buffer, byteOffset } = this.#view
    this.#at += count
    return new Uint8Array(buffer, byteOffset + this.#at - count, count)
  }
}

function plain(whole: bigint): number | bigint {
  const number = Number(whole)
  return Number.isSafeInteger(number) ? number : whole
}

/** RFC 4648 section 6 in lower case, without padding. */
export function base32(bytes: Uint8Array): string {
  let [text, rest, bits] = ['', 0, 0]
  for (const byte of bytes) {
    rest = (rest << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32[(rest >> bits) & 31]
      rest &= (1 << bits) - 1
    }
  }
  return bits === 0 ? text : text + BASE32[(rest << (5 - bits)) & 31]
}
