/** `completion`: static completion scripts, made from the table of commands. */
import type { Command } from 'commander'
import type { CommandModule } from '../context.js'

interface Level {
  /** Words that lead here, such as `neural train`. */
  readonly path: string
  readonly words: readonly string[]
}

/** The command for a program, whose table it reads. */
export function completion(program: Command): CommandModule<object> {
  return {
    async run({ output }, _options, shell = 'bash') {
      const script = scriptFor(shell, levelsOf(program, ''))
      output.result({ shell, script }, () => script.trimEnd())
    },
  }
}

function levelsOf(command: Command, path: string): Level[] {
  const options = command.options.map(({ long }) => long ?? '').filter((long) => long !== '')
  const words = [...command.commands.map((child) => child.name()), ...options]
  const below = command.commands.flatMap((child) =>
    levelsOf(child, `${path} ${child.name()}`.trim()),
  )
  return [{ path, words }, ...below]
}

function scriptFor(shell: string, levels: readonly Level[]): string {
  if (shell === 'fish') return fish(levels)
  const cases = levels
    .map(({ path, words }) => `    "${path}") words="${words.join(' ')}" ;;`)
    .join('\n')
  const bash = `_synaptic_mesh() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _synaptic_mesh synaptic-mesh
`
  return shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bash}` : bash
}

function fish(levels: readonly Level[]): string {
  const line = ({ path, words }: Level): string => {
    const seen = path.split(' ').filter((word) => word !== '')
    const condition =
      seen.length === 0
        ? '__fish_use_subcommand'
        : seen.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    return `complete -c synaptic-mesh -n '${condition}' -a '${words.join(' ')}'`
  }
  return `${levels.map(line).join('\n')}\n`
}
