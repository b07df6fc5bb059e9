/** What happened, newest first. */
import type { LogLine } from '../store.ts'
import { clock } from '../words.ts'
import { Card } from './parts.tsx'

const SHOWN = 8

export function Activity({ log }: { log: readonly LogLine[] }) {
  const shown = log.slice(-SHOWN).reverse()
  return (
    <Card title="Activity">
      {shown.length === 0 ? (
        <p class="empty">Nothing has happened since this page was opened.</p>
      ) : (
        <ol class="log">
          {shown.map((line, index) => (
            <li key={log.length - index}>
              <time dateTime={new Date(line.at).toISOString()}>{clock(line.at)}</time>
              <span>{line.text}</span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}
