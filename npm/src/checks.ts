/** What `doctor` and `net doctor` show: what was looked at, and what to do about it. */
import type { Context } from './context.js'
import { forHome } from './home.js'
import { columns, type Paint } from './output.js'

/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'failed'
  readonly detail: string
  /** What to do; empty where nothing has to be done. */
  readonly fix: string
}

/** What was seen, without its name. */
export type Result = Omit<Check, 'name'>

/** Nothing to do. */
export const ok = (detail: string): Result => ({ status: 'ok', detail, fix: '' })
/** It works, and could be better. */
export const warning = (detail: string, fix: string): Result => ({ status: 'warning', detail, fix })
/** It does not work. */
export const failed = (detail: string, fix: string): Result => ({ status: 'failed', detail, fix })

/** Prints them, what to do as it has to be typed for this home; the exit code: 1 if one failed. */
export function showChecks({ home, output }: Context, seen: readonly Check[]): number {
  const checks = seen.map((check) => ({ ...check, fix: forHome(check.fix, home) }))
  const healthy = checks.every(({ status }) => status !== 'failed')
  output.result({ healthy, checks }, (paint) => checksText(checks, paint))
  return healthy ? 0 : 1
}

/** Checks as a table, each with what to do. */
function checksText(checks: readonly Check[], paint: Paint): string {
  const rows = checks.map(({ name, status, detail }) => [name, status, detail])
  const lines = columns(rows).split('\n')
  return checks
    .map(({ status, fix }, index) => {
      const style = status === 'ok' ? 'green' : status === 'warning' ? 'yellow' : 'red'
      const line = (lines[index] ?? '').replace(status, paint(style, status))
      return fix === '' ? line : `${line}\n    fix: ${fix}`
    })
    .join('\n')
}
