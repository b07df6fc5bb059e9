/**
 * The command line from arguments to exit code.
 *
 * Commander parses; everything it would print about a mistake comes out in our own error shape,
 * with exit code 2. The process ends here and only here.
 */
import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { aborted, type Context } from './context.js'
import {
  EXIT_CODES,
  exitCodeOf,
  SynapticError,
  systemError,
  toSynapticError,
  usageError,
} from './errors.js'
import { forHome, type Home, resolveHome, surroundings } from './home.js'
import { columns, Output, outlet } from './output.js'
import { buildProgram, type GlobalOptions } from './program.js'

/** How long output may take to leave before the process ends anyway. */
const FLUSH_MS = 2_000

/** A terminal signals all of its processes, and npm passes on what we have got by then already. */
const SAME_KEY_MS = 500

/** What a node was asked to do goes on without the command. */
const INTERRUPTED_HINT =
  'what a running node was asked to write it may have written: look, such as by `wallet pending`, `wallet history` or `finality list`, before you ask again'

/** Runs one command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<never> {
  ignoreClosedPipes()
  const fallback = outputFor({ json: args.includes('--json') })
  const interrupt = interruptible()
  process.on('uncaughtException', (thrown) => {
    fallback.fail(toSynapticError(thrown))
    process.exit(1)
  })
  let code: number
  try {
    code = await execute(args, fallback, interrupt)
  } catch (thrown) {
    code = report(thrown, fallback)
  }
  return exit(code)
}

async function execute(
  args: readonly string[],
  fallback: Output,
  signal: AbortSignal,
): Promise<number> {
  const [first, second] = args.filter((word) => word !== '--json')
  if (first === 'help' && second === 'exit-codes') return explainExitCodes(fallback)
  let exitCode = 0
  const program = buildProgram(packageVersion(), async (globals, work) => {
    const context = contextOf(globals, signal)
    try {
      const code = await work(context)
      exitCode = typeof code === 'number' ? code : 0
    } catch (thrown) {
      exitCode = report(thrown, context.output, { home: context.home })
    }
  })
  program
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, outputError: () => undefined })
  for (const command of allCommands(program)) command.copyInheritedSettings(program)
  if (args.length === 0) {
    process.stdout.write(program.helpInformation())
    return 0
  }
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (thrown) {
    return report(thrown, fallback, { command: nameOf(commandIn(program, args)) })
  }
  return exitCode
}

/** The command that arguments name, as far as they do. */
function commandIn(program: Program, args: readonly string[]): Program {
  let command = program
  let isValue = false
  for (const arg of args) {
    const known = [...program.options, ...command.options]
    const option = known.find(({ short, long }) => arg === short || arg === long)
    if (!isValue) command = command.commands.find((one) => one.name() === arg) ?? command
    isValue = !isValue && option?.required === true
  }
  return command
}

function nameOf(command: Program): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}

type Program = ReturnType<typeof buildProgram>

function allCommands(program: Program): Program[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)])
}

/** Says what went wrong, once, and gives the exit code for it. */
function report(
  thrown: unknown,
  output: Output,
  { command = 'synaptic-mesh', home }: { command?: string; home?: Home } = {},
): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return 0
    const message = thrown.message.replace(/^error: /, '')
    const known = thrown.code === 'commander.help'
    output.fail(usageError(known ? 'a command is missing' : message, `see \`${command} --help\``))
    return 2
  }
  const error = toSynapticError(thrown)
  const hint = home === undefined ? error.hint : forHome(error.hint, home)
  const { code, message, cause } = error
  output.fail(new SynapticError(code, message, hint, { cause }))
  return exitCodeOf(code)
}

function contextOf(globals: GlobalOptions, signal: AbortSignal): Context {
  const around = surroundings()
  return { output: outputFor(globals), home: resolveHome(globals.home, around), around, signal }
}

function outputFor({ json, quiet, verbose, color }: GlobalOptions): Output {
  return new Output({
    json: json ?? false,
    quiet: quiet ?? false,
    verbose: verbose ?? false,
    colour: color ?? 'auto',
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
  })
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  return (manifest as { version: string }).version
}

function explainExitCodes(output: Output): number {
  const codes = EXIT_CODES.map(([code, name, meaning]) => ({ code, name, meaning }))
  output.result(codes, () =>
    columns(EXIT_CODES.map(([code, name, meaning]) => [String(code), name, meaning])),
  )
  return 0
}

/** The first signal asks the command to end; the second one ends it. */
function interruptible(): AbortSignal {
  const controller = new AbortController()
  let firstMs = 0
  const stop = (signal: NodeJS.Signals): void => {
    const code = signal === 'SIGINT' ? 'interrupted' : 'terminated'
    if (controller.signal.aborted) {
      if (performance.now() - firstMs > SAME_KEY_MS) process.exit(exitCodeOf(code))
      return
    }
    firstMs = performance.now()
    controller.abort(new SynapticError(code, `ended by ${signal}`, INTERRUPTED_HINT))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  aborted(controller.signal).catch(() => undefined)
  return controller.signal
}

/** `synaptic-mesh ... | head` closes our stdout: that is no failure. */
function ignoreClosedPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!outlet.isVital) return
    if (error.code === 'EPIPE') process.exit(0)
    const { message } = systemError(error, 'the output') ?? toSynapticError(error)
    // A result that nobody received is a failure, whatever the command did.
    process.stderr.write(`error: ${message}\n`, () => process.exit(1))
    setTimeout(() => process.exit(1), FLUSH_MS)
  })
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!outlet.isVital) return
    process.exit(error.code === 'EPIPE' ? 0 : 1)
  })
}

/** Ends the process once everything printed is out. */
function exit(code: number): Promise<never> {
  setTimeout(() => process.exit(code), FLUSH_MS)
  process.stdout.write('', (error) => {
    // What became of the output is known to the stream's error handler, which ends the process.
    if (error == null) process.stderr.write('', () => process.exit(code))
  })
  return new Promise(() => undefined)
}
