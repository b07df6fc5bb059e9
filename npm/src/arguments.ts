/**
 * Readers of option values. Each throws commander's own error, which names the option and ends
 * with exit code 2.
 */
import { InvalidArgumentError } from 'commander'
import { multiaddrFault } from './multiaddr.js'
import { isLoss } from './training/specification.js'
import type { CommitteeMember, Loss, Shape } from './wasm.js'

/** A whole number in a range. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}

/** A number in a range, both ends included. */
export function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isFinite(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`)
  }
}

/** A share below one: 0 or 0.2, not 20. */
export function share(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= 0 && value < 1) return value
  throw new InvalidArgumentError('It must be at least 0 and less than 1.')
}

/** A 64-bit seed, as decimal text. */
export function seed(text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n
  if (value >= 0n && value < 2n ** 64n) return value
  throw new InvalidArgumentError('It must be a whole number from 0 to 2^64 - 1.')
}

/** Layer sizes: inputs, hidden layers, outputs. */
export function layers(text: string): number[] {
  const sizes = text.split(',').map((part) => (/^\d{1,6}$/.test(part.trim()) ? Number(part) : 0))
  if (sizes.length >= 2 && sizes.every((size) => size > 0)) return sizes
  throw new InvalidArgumentError('Give inputs, hidden layers and outputs, such as 64,128,10.')
}

/** Inputs of a network: a number of them, steps and features, or height, width and channels. */
export function shape(text: string): number | Shape {
  const sizes = text.split('x').map((part) => (/^[1-9]\d{0,5}$/.test(part) ? Number(part) : 0))
  const [one = 0, two = 0, three = 0] = sizes
  if (!sizes.includes(0)) {
    if (sizes.length === 1) return one
    if (sizes.length === 2) return [one, two]
    if (sizes.length === 3) return [one, two, three]
  }
  throw new InvalidArgumentError('Give 64, STEPSxFEATURES or HEIGHTxWIDTHxCHANNELS.')
}

/** The name of a loss. */
export function loss(text: string): Loss {
  if (isLoss(text)) return text
  throw new InvalidArgumentError('It must be a loss, such as mse, cross-entropy or quantile-0.9.')
}

/** Smallest and largest value of the inputs. */
export function range(text: string): [number, number] {
  const [min, max, ...rest] = text.split(',').map(Number)
  if (min !== undefined && max !== undefined && rest.length === 0 && min < max) return [min, max]
  throw new InvalidArgumentError('Give the smallest and the largest value, such as 0,16.')
}

/** How much each class counts, in their order, or "balanced". */
export function classWeights(text: string): readonly number[] | 'balanced' {
  if (text === 'balanced') return text
  const weights = text.split(',').map((part) => (part.trim() === '' ? 0 : Number(part)))
  if (weights.length >= 2 && weights.every((one) => one > 0 && Number.isFinite(one))) return weights
  throw new InvalidArgumentError('Give balanced, or a number above 0 for each class, such as 1,4.')
}

/** Batch sizes, separated by commas. */
export function batches(text: string): number[] {
  const sizes = text.split(',').map((part) => (/^\d{1,6}$/.test(part.trim()) ? Number(part) : 0))
  if (sizes.length <= 16 && sizes.every((size) => size >= 1 && size <= 65_536)) return sizes
  throw new InvalidArgumentError(
    'Give whole numbers from 1 to 65536, at most 16, such as 1,32,256.',
  )
}

/** Class names, separated by commas. */
export function classNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.length >= 2 && !names.includes('') && new Set(names).size === names.length) return names
  throw new InvalidArgumentError('Give at least two different names, such as cat,dog.')
}

const NODE_ID = /^[a-z2-7]{51}[aq]$/

const SPAN_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time, such as 30m, 12h or 7d, in milliseconds. */
export function span(text: string): number {
  const [, count = '', unit = ''] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? []
  const ms = Number(count) * (SPAN_MS[unit] ?? 0)
  if (ms > 0) return ms
  throw new InvalidArgumentError('Give minutes, hours or days, such as 30m, 12h or 7d.')
}

/** Members of a committee with their weights: ID[:WEIGHT],ID,... How many there are, the core says. */
export function committee(text: string): CommitteeMember[] {
  return text.split(',').map((part) => {
    const [id = '', weight, ...rest] = part.trim().split(':')
    const isWeight = weight === undefined || /^[1-9]\d{0,6}$/.test(weight)
    if (NODE_ID.test(id) && isWeight && rest.length === 0) {
      return { id, weight: weight === undefined ? 1 : Number(weight) }
    }
    throw new InvalidArgumentError(
      'Give node ids of 52 characters with commas between them, each with a weight if it is not 1: ID,ID:2,ID.',
    )
  })
}

/** Node ids, separated by commas. */
export function nodeIds(text: string): string[] {
  const ids = text.split(',').map((part) => part.trim())
  if (ids.every((id) => NODE_ID.test(id))) return ids
  throw new InvalidArgumentError('Give node ids of 52 characters with commas between them.')
}

/** A node id. */
export function nodeId(text: string): string {
  if (NODE_ID.test(text)) return text
  throw new InvalidArgumentError('Give a node id of 52 characters.')
}

/** A first balance: ID=CREDITS, in credits of six decimals. */
export interface Balance {
  readonly id: string
  readonly microCredits: number
}

/** An amount of credits, six decimals at most, in millionths. */
export function credits(text: string): number {
  const digits = /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(text)
  if (digits !== null) {
    const [, whole = '', parts = ''] = digits
    const microCredits = BigInt(whole) * 1_000_000n + BigInt(parts.padEnd(6, '0'))
    if (microCredits > 0n && microCredits <= BigInt(Number.MAX_SAFE_INTEGER)) {
      return Number(microCredits)
    }
  }
  throw new InvalidArgumentError(
    'Give credits above 0 and up to 9007199254.740991, with six decimals at most, such as 1000 or 0.5.',
  )
}

/** Adds a first balance to those of the same option before it. */
export function balance(text: string, before: readonly Balance[] = []): Balance[] {
  const [id = '', amount = '', ...rest] = text.split('=')
  if (NODE_ID.test(id) && rest.length === 0) {
    return [...before, { id, microCredits: credits(amount) }]
  }
  throw new InvalidArgumentError('Give a node id and its credits, such as ID=1000 or ID=0.5.')
}

/** An address of a name, added to those of the same option before it. */
export function address(text: string, before: readonly string[] = []): string[] {
  const fault = multiaddrFault(text)
  if (fault === '') return [...before, text]
  throw new InvalidArgumentError(
    `Give a multiaddr, such as /dns/example.org/tcp/443/wss: ${fault}.`,
  )
}

/** The id of a network. */
export function networkId(text: string): string {
  if (/^[a-z2-7]{51}[aq]$/.test(text)) return text
  throw new InvalidArgumentError('It must be a network id: 52 characters of a-z and 2-7.')
}
