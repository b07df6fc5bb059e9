/**
 * Objects without their undefined fields: what is absent has its default, while the core and exact
 * optional types refuse a field that is there and undefined.
 */

/** A type whose fields that may be undefined may be absent instead. */
export type Given<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K]
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** The fields of an object that are not undefined. */
export function given<T extends object>(value: T): Given<T> {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(entries) as Given<T>
}
