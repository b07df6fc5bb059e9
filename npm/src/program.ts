/**
 * The table of commands: what there is, what it takes, which module does it.
 *
 * A command's module is loaded when the command runs, so that no command pays for another.
 */
import { Command, Option } from 'commander'
import { addAgreementCommands } from './agreement.js'
import * as read from './arguments.js'
import { addConnectionCommands } from './connections.js'
import { aborted, type CommandModule, type Context } from './context.js'
import { DTYPES } from './formats/storage.js'
import { addDagCommands } from './history-commands.js'
import { addInviteCommands } from './invite-commands.js'
import { FANN_ACTIVATIONS } from './neural/fann/activations.js'
import { columns } from './output.js'
import { PRESET_NAMES, presetTable } from './presets.js'
import { addRunCommands } from './run-commands.js'
import { BATCH_MAX, rangeOption, seedOption, taskOption } from './shared-options.js'
import { ALGORITHMS, OPTIMISERS, RATES } from './training/optimisers.js'
import { ACTIVATIONS, LOSSES } from './training/specification.js'

/** Options every command takes. */
export interface GlobalOptions {
  readonly home?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly color?: 'auto' | 'always' | 'never'
}

/** Runs a command's module in a context made from the global options. */
export type Runner = (
  globals: GlobalOptions,
  work: (context: Context) => Promise<unknown>,
) => Promise<void>

const PORT_MAX = 65_535
const EPOCHS_MAX = 1_000_000
const STEPS_MAX = 1_000_000_000
/** As the core's bound on the units of a layer. */
const UNITS_MAX = 8_192

/** The whole command line. */
export function buildProgram(version: string, runner: Runner): Command {
  const program = new Command('synaptic-mesh')
    .description("Small networks that learn together, with nobody's server in the middle.")
    .version(version, '-V, --version', 'print the version')
    .option('--home <directory>', 'identity and history to use (or SYNAPTIC_HOME)')
    .option('--json', 'print results as JSON: one document, or one object per line for streams')
    .option('-q, --quiet', 'no notes and no progress')
    .option('-v, --verbose', 'causes of errors as well')
    .addOption(
      new Option('--color <when>', 'colour the output')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('-y, --yes', 'ask nothing (nothing is ever asked; for scripts that say it anyway)')
    .option('--no-interactive', 'the same as --yes')
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .addHelpText('after', '\n`synaptic-mesh help exit-codes` explains the exit codes.')
  const bind = binder(runner)
  addNodeCommands(program, bind)
  addNeuralCommands(program, bind)
  addRunCommands(program, bind)
  addConnectionCommands(program, bind)
  addInviteCommands(program, bind)
  addAgreementCommands(program, bind)
  addDagCommands(program, bind)
  addOtherCommands(program, bind)
  return program
}

/** Ties a command to the module that does it. */
export type Bind = <Options>(command: Command, load: () => Promise<CommandModule<Options>>) => void

function binder(runner: Runner): Bind {
  return <Options>(command: Command, load: () => Promise<CommandModule<Options>>) => {
    command.action(async (...values: unknown[]) => {
      const self = values.at(-1) as Command
      const positional = values.slice(0, -2).filter((value) => value !== undefined) as string[]
      await runner(self.optsWithGlobals<GlobalOptions>(), async (context) => {
        const module = await load()
        const work = module.run(context, self.opts() as Options, ...positional)
        work.catch(() => undefined)
        return module.endsItself === true ? work : Promise.race([work, aborted(context.signal)])
      })
    })
  }
}

function port(description: string): Option {
  return new Option('--port <n>', description).argParser(read.integer(0, PORT_MAX))
}

function addStartOptions(command: Command): Command {
  return command
    .addOption(port('port of the mesh listener, 0 for any free one (default 7411)'))
    .option('--host <address>', 'address to listen on; beyond loopback only on purpose')
    .option(
      '--dashboard-port <n>',
      'port of dashboard and control API, 0 for any free one (default 7410)',
      read.integer(0, PORT_MAX),
    )
    .option(
      '--announce <address...>',
      'addresses at which others call it, as /dns4/.../tcp/443/wss',
    )
    .option('--relay <address...>', 'members to call first, and to be reached through if need be')
    .option('--name <text>', 'name of the mesh, shown in join links')
    .addOption(
      new Option('--storage <kind>', 'where the history is kept').choices(['sqlite', 'memory']),
    )
    .option('--threads <n>', 'training threads, 0 to leave one core free', read.integer(0, 64))
}

function addNodeCommands(program: Command, bind: Bind): void {
  const init = program
    .command('init')
    .description('make an identity and settings here; safe to repeat')
    .option('--user', 'in the directories of the user instead of ./.synaptic')
    .option('--name <text>', 'name of the mesh, shown in join links')
    .option('--network <id>', 'belong to this network instead of a new one', read.networkId)
    .option('--join <link>', 'belong to the network of a join link, and call its members')
    .option(
      '--committee <ids>',
      'a new network with finality: node ids of its committee, ID[:WEIGHT],... (4 to 100)',
      read.committee,
    )
    .addOption(
      new Option(
        '--consensus <engine>',
        'with --committee: how it decides; qr-avalanche polls a few, for what has no value',
      ).choices(['quorum', 'qr-avalanche']),
    )
    .option(
      '--balance <id=credits>',
      'with --committee: credits that a node begins with; may be repeated',
      read.balance,
    )
    .option(
      '--permissioned',
      'a new network that only invited nodes may enter; this one may invite',
    )
    .option('--inviter <ids>', 'with --permissioned: others that may invite', read.nodeIds)
    .option('--allow <ids>', 'with --permissioned: others that need no invite', read.nodeIds)
    .option('--force', 'leave a network in which this home has a history')
    .addOption(port('port of the mesh listener'))
  bind(init, () => import('./commands/init.js'))
  const start = (parent: Command): void => {
    const command = addStartOptions(
      parent.command('start').description('run the node until Ctrl-C or `stop`'),
    ).option('--join <link>', 'join the network of this link')
    bind(command, () => import('./commands/start.js'))
  }
  start(program)
  const node = program.command('node').description('the same commands under the name of the thing')
  start(node)
  for (const parent of [program, node]) {
    bind(
      parent.command('stop').description('end the running node'),
      () => import('./commands/stop.js'),
    )
    bind(
      parent.command('status').description('who is connected, what is trained, what is stored'),
      () => import('./commands/status.js'),
    )
  }
  const join = addStartOptions(
    program
      .command('join')
      .description('become a member by a join link; starts a node if none is running')
      .argument('<link>', 'what `synaptic-mesh start` printed, in quotes'),
  )
  bind(join, () => import('./commands/join.js'))
}

/** For one's own networks only: a run is of classes, or of one number. */
function ownTaskOption(): Option {
  const text = 'overrides what the labels look like; reconstruction has none (autoencoder)'
  return taskOption(text, ['reconstruction'])
}

function labelsOption(text: string): Option {
  return new Option('--label <columns>', `${text}, by name or number from 0`)
}

function addNeuralCommands(program: Command, bind: Bind): void {
  const neural = program.command('neural').description('make, train and use a network by yourself')
  bind(createCommand(neural), () => import('./commands/neural-create.js'))
  bind(trainCommand(neural), () => import('./commands/neural-train.js'))
  const run = modelAndRows(
    neural.command('run').description('answers of a model for rows'),
    'CSV of rows, with or without the label column',
  ).addOption(labelsOption('label columns to leave out'))
  bind(run, () => import('./commands/neural-run.js'))
  const assess = modelAndRows(
    neural.command('eval').description('how well a model does on rows, and what it mixes up'),
    'CSV of rows; the last column is the label',
  ).addOption(labelsOption('label column, or numbers a,b to predict'))
  bind(assess, () => import('./commands/neural-eval.js'))
  const info = neural
    .command('info')
    .description('layers, parameters, scaling and classes of a model')
    .requiredOption('--model <file>', 'model file')
  bind(info, () => import('./commands/neural-info.js'))
  bind(convertCommand(neural), () => import('./commands/neural-convert.js'))
  bind(benchCommand(neural), () => import('./commands/neural-bench.js'))
}

function benchCommand(neural: Command): Command {
  return neural
    .command('bench')
    .description('how long a model takes on this machine: run, runBatch, an epoch')
    .requiredOption('--model <file>', 'model file')
    .option('--batch <sizes>', 'rows at once (default: 1,32,256)', read.batches)
    .option('--data <file>', 'CSV of rows, to time an epoch over them')
    .addOption(labelsOption('their label column, or numbers a,b to predict'))
    .addOption(ownTaskOption())
    .option('--header', 'the first row has names (found out by default)')
    .option('--no-header', 'the first row has values')
}

function modelAndRows(command: Command, rows: string): Command {
  return command
    .requiredOption('--model <file>', 'model file')
    .requiredOption('--data <file>', rows)
    .option('--header', 'the first row has names (found out by default)')
    .option('--no-header', 'the first row has values')
}

function createCommand(neural: Command): Command {
  const tasks = ['classification', 'regression']
  return neural
    .command('create')
    .description('make a new model file')
    .option('--layers <sizes>', 'inputs, hidden layers, outputs: 64,128,10', read.layers)
    .addOption(
      new Option('--architecture <name>', 'a named one instead; see below').choices(PRESET_NAMES),
    )
    .option('--inputs <shape>', 'of an architecture: 64, 32x16 (steps), 28x28x1', read.shape)
    .option('--outputs <n>', 'of an architecture', read.integer(1, UNITS_MAX))
    .requiredOption('--output <file>', 'model file to write')
    .option('--force', 'replace a file that is there; allow 16777216 parameters, not 1048576')
    .addOption(
      new Option(
        '--activation <name>',
        'of the hidden layers (default relu, FANN: sigmoid-symmetric)',
      ).choices([...new Set([...ACTIVATIONS, ...FANN_ACTIVATIONS])]),
    )
    .addOption(
      new Option('--task <kind>', 'what the outputs are (default: one output is a number)').choices(
        tasks,
      ),
    )
    .option('--loss <name>', `${LOSSES.join(', ')} or quantile-0.9 (default: by task)`, read.loss)
    .addOption(
      new Option(
        '--kind <kind>',
        "of --layers: layers, or FANN (also by what is only FANN's)",
      ).choices(['layers', 'fann']),
    )
    .addOption(
      new Option(
        '--output-activation <name>',
        'of the outputs of FANN (default sigmoid-symmetric)',
      ).choices([...FANN_ACTIVATIONS]),
    )
    .option('--steepness <n>', 'of the hidden neurons of FANN', read.number(1e-6, 100))
    .option('--output-steepness <n>', 'of the outputs of FANN', read.number(1e-6, 100))
    .option('--connection-rate <share>', 'of FANN: connections made', read.number(1e-6, 1))
    .option('--shortcut', 'of FANN: neurons take all layers before, as a cascade grows them')
    .option('--weight-range <n>', 'of FANN: weights begin between -n and n', read.number(1e-6, 100))
    .addOption(seedOption())
    .addHelpText('after', () => `\nArchitectures, by default:\n${columns(presetTable())}`)
}

function convertCommand(neural: Command): Command {
  const dtypes = 'f32, or smaller and less exact: f16, int8 (not .onnx, .net)'
  return neural
    .command('convert')
    .description('the same model in another form of file')
    .argument('<in>', 'model file: .json, .safetensors, or .net of FANN')
    .argument('<out>', 'file to write: .json, .safetensors, .onnx or .net')
    .addOption(new Option('--dtype <name>', dtypes).choices(DTYPES).default('f32'))
    .option('--layers', 'make layers of a network of FANN')
    .option('--data <file>', 'CSV of labelled rows, to compare the two files with')
    .addOption(labelsOption('their label column, or numbers a,b to predict'))
    .option('--header', 'the first row has names (found out by default)')
    .option('--no-header', 'the first row has values')
    .option('--force', 'replace a file that is there')
}

function trainCommand(neural: Command): Command {
  const command = neural
    .command('train')
    .description('train a model file on rows')
    .requiredOption('--model <file>', 'model file to train')
    .requiredOption('--data <file>', 'CSV of rows; the last column is the label')
    .option('--output <file>', 'where to write the trained model (default: the same file)')
    .option('--force', 'replace another file that is there')
    .addOption(labelsOption('label column, or numbers a,b to predict'))
    .addOption(ownTaskOption())
    .option('--categories <columns>', 'columns that are categories though they are numbers')
    .addOption(
      new Option('--missing <how>', 'mean: fill gaps, categories with the most frequent one')
        .choices(['error', 'mean'])
        .default('error'),
    )
    .option('--classes <names>', 'all classes, where the rows do not show them', read.classNames)
    .option('--header', 'the first row has names (found out by default)')
    .option('--no-header', 'the first row has values')
    .option('--test-split <share>', 'share of the rows to hold out', read.share)
    .option('--test <file>', 'CSV of held-out rows')
    .option('--validation-split <share>', 'share of the others to choose the epoch by', read.share)
    .option(
      '--patience <n>',
      'end after so many epochs that are no better on them',
      read.integer(1, EPOCHS_MAX),
    )
    .addOption(rangeOption())
    .option('--epochs <n>', 'passes over the rows (default 20)', read.integer(1, EPOCHS_MAX))
    .option(
      '--batch <n>',
      'rows per step (default: a 32nd of the training rows, from 4 to 32)',
      read.integer(1, BATCH_MAX),
    )
  return addStepOptions(command)
    .addOption(seedOption())
    .option('--progress', 'with --json: every epoch as an event, before the result')
}

function addStepOptions(command: Command): Command {
  const rates = OPTIMISERS.map((name) => `${RATES[name]} for ${name}`).join(', ')
  return command
    .addOption(
      new Option(
        '--algorithm <name>',
        'how to train (default adam; networks of FANN: rprop)',
      ).choices(ALGORITHMS),
    )
    .addOption(new Option('--optimizer <name>', 'the same').choices(ALGORITHMS).hideHelp())
    .option('--max-neurons <n>', 'of cascade (default 30)', read.integer(1, 4_000))
    .option('--desired-error <loss>', 'end when it is reached', read.number(0, 1e9))
    .option('--set <name=value...>', 'further options of FANN, such as rpropDeltaMax=10')
    .option('--lr <rate>', `learning rate (default ${rates})`, read.number(1e-12, 100))
    .option('--momentum <share>', 'of sgd, incremental (0), nesterov (0.9)', read.share)
    .option('--weight-decay <rate>', 'how much weights shrink (default 0, adamw 0.01)', read.share)
    .option('--clip-norm <norm>', 'largest norm of a gradient', read.number(1e-12, 1e12))
    .option(
      '--warm-up <steps>',
      'steps in which the learning rate rises from nothing',
      read.integer(1, STEPS_MAX),
    )
    .option(
      '--decay-epochs <n>',
      'epochs after which it falls, again and again',
      read.integer(1, EPOCHS_MAX),
    )
    .option(
      '--decay-factor <factor>',
      'by what it is multiplied then (default 0.5)',
      read.number(1e-6, 1),
    )
    .option(
      '--cosine [share]',
      'the learning rate falls along half a cosine over all epochs, to a share (default 0)',
      read.number(0, 1),
    )
    .option(
      '--class-weights <weights>',
      'balanced, or what a row of each class counts: 1,4',
      read.classWeights,
    )
}

function addOtherCommands(program: Command, bind: Bind): void {
  const demo = program
    .command('demo')
    .description(
      'nodes and a browser tab on this machine train one network together, then some lie',
    )
    .option('--members <n>', 'members, the tab included', read.integer(3, 16), 10)
    .option('--rounds <n>', 'rounds', read.integer(6, 1_000))
    .option(
      '--alpha <n>',
      'unevenness of the split, smaller is worse',
      read.number(0.01, 1_000),
      0.1,
    )
    .option('--no-tab', 'another process instead of the browser tab')
    .option('--keep', 'keep the directories of the members')
    .option('--timeout <seconds>', 'give up after', read.integer(10, 3_600), 600)
    .addOption(seedOption())
  bind(demo, () => import('./commands/demo.js'))
  bind(
    program.command('doctor').description('what this machine lacks, and what to do about it'),
    () => import('./commands/doctor.js'),
  )
  addConfigCommands(program, bind)
  bind(
    program
      .command('completion')
      .description('print a completion script')
      .addArgument(
        program.createArgument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish']),
      ),
    async () => {
      const { completion } = await import('./commands/completion.js')
      return completion(program)
    },
  )
}

function addConfigCommands(program: Command, bind: Bind): void {
  const config = program.command('config').description('read and change settings')
  bind(
    config.command('get').description('one setting').argument('<key>', 'name of the setting'),
    () => import('./commands/config-get.js'),
  )
  bind(
    config
      .command('set')
      .description('change a setting of this home')
      .argument('<key>', 'name of the setting')
      .argument('<value>', 'new value'),
    () => import('./commands/config-set.js'),
  )
  bind(
    config
      .command('list')
      .description('all settings')
      .option('--show-origin', 'where each value comes from'),
    () => import('./commands/config-list.js'),
  )
  bind(
    config.command('path').description('files that settings are read from'),
    () => import('./commands/config-path.js'),
  )
}
