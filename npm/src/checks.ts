/** What `doctor` and `net doctor` show: what was looked at, and what to do about it. */
import { forHome, type Home } from './home.js'
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

/** The same checks, what to do written as it has to be typed for a home. */
export function checksFor(checks: readonly Check[], home: Home): Check[] {
  return checks.map((check) => ({ ...check, fix: forHome(check.fix, home) }))
}

/** Whether nothing stands in the way. */
export function isHealthy(checks: readonly Check[]): boolean {
  return checks.every(({ status }) => status !== 'failed')
}

/** Checks as a table, each with what to do. */
export function checksText(checks: readonly Check[], paint: Paint): string {
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
