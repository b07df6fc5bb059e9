/**
 * Half precision: IEEE 754-2019 binary16, 1 sign, 5 exponent and 10 fraction bits.
 *
 * Node.js 20 and older pages have no `Float16Array`, so the bits are made here.
 */

/** The largest finite half. */
export const HALF_MAX = 65_504

const FRACTION_BITS = 10
const FRACTION = 1 << FRACTION_BITS
const EXPONENT_ALL = 31
const BIAS = 15
/** Exponent of the smallest normal half; below it the distance of halves stays 2^-24. */
const EXPONENT_MIN = 1 - BIAS
const NAN = 0x7e00

/** A half nearest to `number`, of two equally near the even one; too large ones are infinite. */
export function halfOf(number: number): number {
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0
  const size = Math.abs(number)
  if (Number.isNaN(size)) return NAN
  // Exponents are exact up to a step, which the loops take: log2 rounds.
  let exponent = Math.max(Math.floor(Math.log2(size)), EXPONENT_MIN)
  if (size < 2 ** exponent && exponent > EXPONENT_MIN) exponent -= 1
  if (size >= 2 ** (exponent + 1)) exponent += 1
  if (exponent > BIAS) return sign | (EXPONENT_ALL << FRACTION_BITS)
  // In units of the last place, which is exact. A carry out of the fraction is the next exponent,
  // up to infinity; what is subnormal has no leading 1, and so the exponent field 0.
  const units = roundEven(size / 2 ** (exponent - FRACTION_BITS))
  return sign | (((exponent - EXPONENT_MIN) << FRACTION_BITS) + units)
}

/** The number of a half. */
export function numberOf(half: number): number {
  const sign = (half & 0x8000) === 0 ? 1 : -1
  const exponent = (half >> FRACTION_BITS) & EXPONENT_ALL
  const fraction = half & (FRACTION - 1)
  if (exponent === EXPONENT_ALL)
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  const units = exponent === 0 ? fraction : fraction + FRACTION
  return sign * units * 2 ** (Math.max(exponent, 1) - BIAS - FRACTION_BITS)
}

/** The nearest whole number, of two equally near the even one. */
export function roundEven(number: number): number {
  const down = Math.floor(number)
  const above = number - down
  if (above === 0.5) return down % 2 === 0 ? down : down + 1
  return above < 0.5 ? down : down + 1
}
