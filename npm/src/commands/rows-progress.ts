/** Progress of starting or joining a run: reading rows, and training alone where it is asked for. */
import type { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { Progress, patiently } from '../progress.js'

/** Shows how far the node is while `work` waits for it; `what` is done first. */
export async function withRowsProgress<T>(
  { output, signal }: Context,
  client: ControlClient,
  { alone }: { readonly alone?: boolean },
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  if (!output.talkative) return work()
  if (alone !== true) return patiently(output.stderr, what, work)
  const done = new AbortController()
  const watching = watch()
  try {
    return await work()
  } finally {
    done.abort()
    await watching
  }

  async function watch(): Promise<void> {
    let progress: Progress | undefined
    try {
      for await (const { event, data } of client.events(AbortSignal.any([done.signal, signal]))) {
        if (event !== 'alone') continue
        progress ??= new Progress(output.stderr, 'training alone', Number(data.epochs))
        progress.update(Number(data.epoch))
      }
    } catch {
      // Progress is a courtesy; the command itself reports what went wrong.
    }
    progress?.end()
  }
}
