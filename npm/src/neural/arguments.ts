/**
 * What programs hand over, checked: TypeScript keeps nobody from handing over something else, and a
 * TypeError of an inner line says nothing of the argument that is wrong.
 */
import { SynapticError } from '../errors.js'

/** More letters apart than this, a name is none that was mistyped. */
const DISTANCE_MAX = 3

/**
 * An argument that is an object.
 *
 * @throws SynapticError `bad-argument`
 */
export function objectArgument<T>(value: T, name: string, such: string): T & object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw badArgument(name, 'an object', value, such)
}

/** The error for an argument of another type than it must have. */
export function badArgument(
  name: string,
  kind: string,
  value: unknown,
  hint: string,
): SynapticError {
  return new SynapticError('bad-argument', `${name} must be ${kind}, not ${kindOf(value)}`, hint)
}

/**
 * Refuses properties that nobody reads: a name that is mistyped would have no effect.
 *
 * @throws SynapticError `option-invalid`
 */
export function onlyKnown(options: object, known: readonly string[], what: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue
    throw unknownOption(name, known, what)
  }
}

/** The error for an option that means nothing. */
export function unknownOption(name: string, known: readonly string[], what: string): SynapticError {
  const near = nearest(name, known)
  const hint = near === undefined ? `use ${known.join(', ')}` : `did you mean "${near}"?`
  return new SynapticError('option-invalid', `"${name}" means nothing to ${what}`, hint)
}

/** The name that is meant, if one is near enough. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase()
  const most = Math.min(DISTANCE_MAX, Math.ceil(name.length / 3))
  const found = names
    .map((one) => ({ one, apart: distance(lower, one.toLowerCase()) }))
    .sort((a, b) => a.apart - b.apart)[0]
  if (found !== undefined && found.apart <= most) return found.one
  // `rate` for `learningRate`.
  return names.find((one) => lower.length > 2 && one.toLowerCase().includes(lower))
}

/** Letters to insert, remove or replace (Levenshtein 1966). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let at = 1; at <= one.length; at += 1) {
    const above = row
    row = [at]
    for (let to = 1; to <= other.length; to += 1) {
      const replaced = (above[to - 1] ?? 0) + Number(one[at - 1] !== other[to - 1])
      row.push(Math.min(replaced, (above[to] ?? 0) + 1, (row[to - 1] ?? 0) + 1))
    }
  }
  return row[other.length] ?? 0
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return `${value.constructor?.name ?? 'an object'}`
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`
}
