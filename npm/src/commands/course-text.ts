/** The course of a run as lines for people: what the dashboard's page *Training* shows, in words. */
import { bytesText, columns, percent, shortId } from '../output.js'
import { type RoundView, type TrainingView, type UpdateView, WHY_NOT } from '../run-log.js'

/** A closed round: what its result has, what it weighs, who is missing and what was left out. */
export function roundText(name: string, rounds: number, round: RoundView): string {
  const { result, updates, missing, bytes } = round
  const taken = updates.filter((one) => one.taken === true).length
  const left = [...updates.filter((one) => one.whyNot !== null), ...round.unrevealed]
  return [
    `run ${name}: round ${round.round}/${rounds}, ${taken} of ${updates.length} updates`,
    ...(bytes === null
      ? []
      : [`${bytesText(bytes.updates)} and ${bytesText(bytes.vertices)} signed`]),
    ...(result?.author == null ? [] : [`result of ${shortId(result.author)}`]),
    ...(missing.length === 0 ? [] : [`missing ${missing.map(shortId).join(' ')}`]),
    ...(left.length === 0 ? [] : [`left out ${left.map(leftText).join(' ')}`]),
  ].join(', ')
}

function leftText({ author, whyNot }: Pick<UpdateView, 'author' | 'whyNot'>): string {
  return whyNot === null ? shortId(author) : `${shortId(author)} (${WHY_NOT[whyNot]})`
}

/** What each member has contributed, and where it stands. */
export function membersText({ members, round, refused }: TrainingView): string {
  const rows = members.map((member) => [
    shortId(member.id),
    member.samples === null ? '' : String(member.samples),
    String(member.sent),
    String(member.taken),
    percent(member.share),
    standing(member.left, round - member.lastRound),
  ])
  const table = columns([['member', 'rows', 'sent', 'taken', 'share', 'now'], ...rows])
  const causes = Object.entries(refused).map(([cause, times]) => `${times} ${cause}`)
  return causes.length === 0 ? table : `${table}\nrefused here: ${causes.join(', ')}`
}

function standing(left: boolean, behind: number): string {
  if (left) return 'left'
  return behind > 0 ? `${behind} behind` : 'with the others'
}
