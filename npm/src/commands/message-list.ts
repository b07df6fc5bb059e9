/** `message list`: sealed messages from and to this node, newest first. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { harmlessLine, shortId, timeText } from '../output.js'
import type { SealedMessage, SealedPage } from '../wasm.js'

/** Options of `message list`. */
export interface ListOptions {
  readonly limit: number
}

/** Lists them. */
export async function run({ home, output }: Context, { limit }: ListOptions): Promise<void> {
  const client = ControlClient.connect(home)
  const messages: SealedMessage[] = []
  for (let before: string | undefined; messages.length < limit; ) {
    const page = await client.call<SealedPage>('message.list', { before })
    messages.push(...page.messages)
    if (page.next === null) break
    before = page.next
  }
  const shown = messages.slice(0, limit)
  output.result(shown, () =>
    shown.length === 0 ? 'no messages yet' : shown.map(messageText).join('\n'),
  )
}

function messageText({ from, to, timeMs, text, problem }: SealedMessage): string {
  const time = timeText(timeMs)
  if (problem !== null) return `${time}  from ${shortId(from)}  unreadable: ${problem.message}`
  if (text === null) return `${time}  to   ${shortId(to)}  sealed: only its receiver can read it`
  return `${time}  from ${shortId(from)}  ${harmlessLine(text)}`
}
