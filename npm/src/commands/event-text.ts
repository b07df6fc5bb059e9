/** Events of a node as lines for people. */
import type { NodeEvent } from '../node.js'
import { type Paint, percent, shortId } from '../output.js'

/** The line for an event, or nothing where a line would only be noise. */
export function eventText(event: NodeEvent, paint: Paint): string | undefined {
  switch (event.type) {
    case 'peer':
      if (event.state === 'connected') return `+ ${shortId(event.id)} connected`
      return `- ${shortId(event.id)} disconnected${event.reason === '' ? '' : ` (${event.reason})`}`
    case 'run':
      return `run ${paint('bold', event.name)} ${event.state}`
    case 'round':
      return `run ${event.name}: round ${event.round}/${event.rounds}, ${event.updates} updates`
    case 'evaluated':
      return `run ${event.name}: round ${event.round}, ${bothScores(event)} on ${event.rows} rows`
    case 'finalised':
      return `final: ${event.kind} ${event.item}`
    case 'epoch':
      return `epoch ${event.epoch}: a committee of ${event.members} decides`
    case 'finality':
      return event.state === 'quorum' ? 'finality is back' : undefined
    case 'lagged':
      return `(${event.lost} events were lost: the terminal was too slow)`
    case 'warning':
      return `warning: ${event.message}`
    default:
      return undefined
  }
}

function bothScores(score: { accuracy: number | null; loss: number }): string {
  if (score.accuracy === null) return scoreText(score)
  return `${scoreText(score)}, loss ${score.loss.toFixed(4)}`
}

/** Accuracy where there is one, else the loss. */
export function scoreText({ accuracy, loss }: { accuracy: number | null; loss: number }): string {
  return accuracy === null ? `loss ${loss.toFixed(4)}` : `accuracy ${percent(accuracy)}`
}
