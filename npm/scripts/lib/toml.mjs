// The part of TOML that this repository's own files use: tables, arrays of tables, strings,
// integers, booleans and (multi-line) arrays of them. Set-up runs before `npm ci`, so it has no
// library to ask. Anything else is refused with its line number, never misread.

/** @param {string} text @returns {Record<string, any>} */
export function parseToml(text) {
  const root = {}
  let table = root
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index++) {
    let line = strip(lines[index])
    if (!line) continue
    const header = /^\[(\[)?([\w.-]+)\]?\]$/.exec(line)
    if (header) {
      table = open(root, header[2].split('.'), Boolean(header[1]))
      continue
    }
    const pair = /^("[^"]*"|[\w-]+)\s*=\s*(.*)$/.exec(line)
    if (!pair) throw new SyntaxError(`line ${index + 1}: not a table and not "key = value"`)
    const first = index
    line = pair[2]
    while (line.startsWith('[') && !closed(line) && index + 1 < lines.length) {
      line += ` ${strip(lines[++index])}`
    }
    table[pair[1].replaceAll('"', '')] = value(line, first + 1)
  }
  return root
}

function open(root, path, repeated) {
  let table = root
  for (const [depth, key] of path.entries()) {
    const last = depth === path.length - 1
    if (last && repeated) {
      table[key] ??= []
      table[key].push({})
    }
    table[key] ??= {}
    table = Array.isArray(table[key]) ? table[key].at(-1) : table[key]
  }
  return table
}

/** Drops a comment that stands outside a string. */
function strip(line) {
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    if (quote) quote = line[at] === quote ? '' : quote
    else if (line[at] === '"' || line[at] === "'") quote = line[at]
    else if (line[at] === '#') return line.slice(0, at).trim()
  }
  return line.trim()
}

const closed = (line) => tokens(line).at(-1) === ']'

function tokens(line) {
  return line.match(/"[^"\\]*"|'[^']*'|[[\],]|[^\s[\],]+/g) ?? []
}

function value(source, line) {
  const found = tokens(source)
  const wrong = () => new SyntaxError(`line ${line}: this reader does not know \`${source}\``)
  const scalar = (token) => {
    if (/^".*"$|^'.*'$/.test(token)) return token.slice(1, -1)
    if (/^-?\d[\d_]*$/.test(token)) return Number(token.replaceAll('_', ''))
    if (token === 'true' || token === 'false') return token === 'true'
    throw wrong()
  }
  if (found.length === 1) return scalar(found[0])
  if (found[0] !== '[' || found.at(-1) !== ']') throw wrong()
  return found
    .slice(1, -1)
    .filter((token) => token !== ',')
    .map(scalar)
}
