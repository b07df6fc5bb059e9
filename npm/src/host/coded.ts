/**
 * A node of the core whose methods throw, and reject with, `SynapticError` alone: the errors of the
 * core are plain ones of the same shape.
 */
import { toSynapticError } from '../errors.js'

/** The same object, its methods called on it, and its errors in the shape of this package. */
export function coded<T extends object>(core: T): T {
  return new Proxy(core, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        try {
          const result: unknown = Reflect.apply(value, target, given)
          return result instanceof Promise ? result.catch(rethrow) : result
        } catch (thrown) {
          return rethrow(thrown)
        }
      }
    },
  })
}

function rethrow(thrown: unknown): never {
  throw toSynapticError(thrown)
}
