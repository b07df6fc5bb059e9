/**
 * Keys that a JSON text gives twice. `JSON.parse` keeps the last of them and says nothing, so that
 * two programs could read different models from one file.
 */

/** The first key that is given twice in one object of `json`, which must be JSON. */
export function repeatedKey(json: string): string | undefined {
  /** The keys of each object that is open; null for an array. */
  const open: (Set<string> | null)[] = []
  let at = 0
  while (at < json.length) {
    const character = json[at]
    if (character === '"') {
      const end = endOfString(json, at)
      const keys = open.at(-1)
      if (keys && json[pastSpaces(json, end)] === ':') {
        const key = JSON.parse(json.slice(at, end)) as string
        if (keys.has(key)) return key
        keys.add(key)
      }
      at = end
      continue
    }
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(null)
    else if (character === '}' || character === ']') open.pop()
    at += 1
  }
  return undefined
}

/** The place behind the string that begins at `at`. */
function endOfString(json: string, at: number): number {
  let end = at + 1
  while (end < json.length && json[end] !== '"') end += json[end] === '\\' ? 2 : 1
  return end + 1
}

/** The first place from `at` on that is no white space. */
function pastSpaces(json: string, at: number): number {
  let place = at
  while (' \t\r\n'.includes(json[place] ?? 'none')) place += 1
  return place
}
