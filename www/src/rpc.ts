/**
 * Typed calls over `postMessage`: a page talks to its node worker, the node worker to its trainer.
 *
 * One side serves an object of functions, the other gets the same object with every result a promise.
 * The server may also push events, and hand over what they hold. Failures cross as `Problem`.
 * Structured clone carries bytes and bigint; there is no callback, no proxying of objects, no
 * cancel: a caller that loses interest ends the worker.
 */
import { Failure, type Problem, toProblem } from './problem.ts'

/** The part of `Worker` and of a worker's global scope that is needed. */
export interface Port {
  postMessage(message: unknown, transfer?: Transferable[]): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
}

type Functions<Api> = { [Key in keyof Api]: (...args: never[]) => unknown }

/** `Api` as seen from the other side of a port. */
export type Remote<Api extends Functions<Api>> = {
  [Key in keyof Api]: (...args: Parameters<Api[Key]>) => Promise<Awaited<ReturnType<Api[Key]>>>
}

type Call = { readonly call: number; readonly method: string; readonly args: unknown[] }
type Reply = { readonly reply: number; readonly value?: unknown; readonly problem?: Problem }
type Push<Event> = { readonly event: Event }

/** Answers calls that arrive on `port` with the functions of `api`; returns how to push an event. */
export function serve<Api extends Functions<Api>, Event>(
  port: Port,
  api: Api,
): (event: Event, transfer?: Transferable[]) => void {
  port.addEventListener('message', ({ data }) => {
    const { call, method, args } = data as Call
    if (typeof call !== 'number') return
    const run = async () => {
      if (!Object.hasOwn(api, method)) throw new Failure('no-such-call', `No call ${method}.`, '')
      return (api[method as keyof Api] as (...given: never[]) => unknown)(...(args as never[]))
    }
    run().then(
      (value) => port.postMessage({ reply: call, value } satisfies Reply),
      (error: unknown) =>
        port.postMessage({ reply: call, problem: toProblem(error) } satisfies Reply),
    )
  })
  return (event, transfer = []) => port.postMessage({ event } satisfies Push<Event>, transfer)
}

/** Calls what the other side of `port` serves. `fail` rejects every open and later call. */
export function connect<Api extends Functions<Api>, Event>(
  port: Port,
  onEvent: (event: Event) => void,
): { remote: Remote<Api>; fail(problem: Problem): void } {
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Failure): void }>()
  let next = 0
  let dead: Failure | null = null
  port.addEventListener('message', ({ data }) => {
    const message = data as Reply | Push<Event>
    if ('event' in message) return onEvent(message.event)
    const waiting = open.get(message.reply)
    if (waiting === undefined) return
    open.delete(message.reply)
    if (message.problem === undefined) waiting.resolve(message.value)
    else waiting.reject(asFailure(message.problem))
  })
  const remote = new Proxy({} as Remote<Api>, {
    get:
      (_, method) =>
      (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          if (dead !== null) return reject(dead)
          next += 1
          open.set(next, { resolve, reject })
          port.postMessage({ call: next, method: String(method), args } satisfies Call)
        }),
  })
  const fail = (problem: Problem) => {
    dead = asFailure(problem)
    for (const waiting of open.values()) waiting.reject(dead)
    open.clear()
  }
  return { remote, fail }
}

function asFailure(problem: Problem): Failure {
  return new Failure(problem.code, problem.message, problem.hint)
}
