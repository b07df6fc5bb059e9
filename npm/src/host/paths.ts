/** Files of rows, named so that they are found again from another directory. */
import * as path from 'node:path'
import type { RowsRequest } from '../run-options.js'

/** Files named from this directory: the node may remember them and come back in another one. */
export function withPaths<Request extends RowsRequest>(request: Request): Request {
  const { data, test } = request
  const whole = (rows: string | Uint8Array): string | Uint8Array =>
    typeof rows === 'string' ? path.resolve(rows) : rows
  return { ...request, data: whole(data), ...(test === undefined ? {} : { test: whole(test) }) }
}
