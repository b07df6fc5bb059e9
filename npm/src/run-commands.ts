/** Commands about learning together: `run` and `verify`. */
import { type Command, Option } from 'commander'
import { BYZANTINE_MAX, RULE_CHOICES } from './aggregation.js'
import * as read from './arguments.js'
import { ATTACKS } from './attack.js'
import { COMPRESSION_CHOICES, KEEP_PERCENT_MIN } from './compression.js'
import type { Bind } from './program.js'
import { RUN_DEFAULTS } from './run-options.js'
import { BATCH_MAX, rangeOption, seedOption, taskOption } from './shared-options.js'
import { ACTIVATIONS } from './training/specification.js'

const ROUNDS_MAX = 10_000
const MEMBERS_MAX = 256

/** Adds `run` and `verify`. */
export function addRunCommands(program: Command, bind: Bind): void {
  const run = program.command('run').description('train together with the members of the mesh')
  bind(startRunCommand(run), () => import('./commands/run-start.js'))
  const join = rowsOptions(
    run
      .command('join')
      .description('contribute to a run')
      .argument('<name>', 'name or id of the run'),
  ).addOption(
    new Option(
      '--attack <kind>',
      'for experiments: send updates that lie, to see what the rule does with them',
    ).choices(ATTACKS),
  )
  bind(join, () => import('./commands/run-join.js'))
  const named = (verb: string, description: string): Command =>
    run.command(verb).description(description).argument('<name>', 'name or id of the run')
  bind(named('leave', 'stop contributing to a run'), () => import('./commands/run-leave.js'))
  bind(
    run.command('list').description('every run of the mesh'),
    () => import('./commands/run-list.js'),
  )
  bind(named('watch', 'rounds as they happen'), () => import('./commands/run-watch.js'))
  bind(
    named('export', 'a run and the whole history before it as one file that anybody can verify')
      .requiredOption('--output <file>', 'CAR file to write')
      .option('--force', 'replace a file that is there'),
    () => import('./commands/run-export.js'),
  )
  bind(
    program
      .command('verify')
      .description('recompute a run from its history, bit for bit')
      .argument('<file>', 'CAR file of `run export`')
      .option('--retrain', "train a member's updates again from its rows, and compare")
      .option('--data <file>', 'with --retrain: CSV of its rows, as it trained on them')
      .option('--label <column>', 'with --retrain: label column, by name or number from 0')
      .option(
        '--member <id>',
        'with --retrain: whose rows they are, by the beginning of the id (found out by default)',
      ),
    () => import('./commands/verify.js'),
  )
}

function startRunCommand(run: Command): Command {
  const { rounds, epochs, batch, learningRate, momentum, deadlineMs } = RUN_DEFAULTS
  return rowsOptions(
    run
      .command('start')
      .description('start a run as its first member')
      .argument('<name>', 'a-z 0-9 -'),
  )
    .requiredOption('--layers <sizes>', 'inputs, hidden layers, outputs: 64,64,10', read.layers)
    .addOption(
      new Option('--activation <name>', 'of the hidden layers')
        .choices(ACTIVATIONS)
        .default(RUN_DEFAULTS.activation),
    )
    .addOption(taskOption())
    .option('--classes <names>', 'all classes, where your rows do not show them', read.classNames)
    .addOption(rangeOption())
    .option('--rounds <n>', 'rounds of the run', read.integer(1, ROUNDS_MAX), rounds)
    .option('--epochs <n>', 'passes over the own rows per round', read.integer(1, 1_000), epochs)
    .option('--batch <n>', 'rows per step', read.integer(1, BATCH_MAX), batch)
    .option('--lr <rate>', 'learning rate', read.number(1e-12, 100), learningRate)
    .option('--momentum <share>', 'momentum of the local training', read.share, momentum)
    .option(
      '--server-momentum <share>',
      "share of a round's change that the next one goes on with",
      read.share,
      RUN_DEFAULTS.serverMomentum,
    )
    .option(
      '--worker-momentum <share>',
      "share of a member's last update that its next one keeps",
      read.share,
      RUN_DEFAULTS.workerMomentum,
    )
    .option(
      '--quorum <n>',
      'updates that close a round (default: all active members)',
      read.integer(1, MEMBERS_MAX),
    )
    .option(
      '--min-updates <n>',
      'updates without which no round closes (default: 2, or what the rule needs)',
      read.integer(1, MEMBERS_MAX),
    )
    .addOption(
      new Option(
        '--rule <name>',
        'how updates become one; auto: mean, from 4 updates a round centered-clipping',
      ).choices(RULE_CHOICES),
    )
    .option(
      '--byzantine <n>',
      'updates of a round that may be hostile (default: under a third, 1 for a --rule alone)',
      read.integer(0, BYZANTINE_MAX),
    )
    .option(
      '--radius <length>',
      'shorten updates to it (default: by their own lengths)',
      read.number(1e-12, 1e30),
    )
    .option('--mixing', 'mix each update with its nearest ones before the rule (trimmed-mean)')
    .option(
      '--reference <file>',
      'CSV of a few rows that everybody trusts and can read, for --rule fltrust',
    )
    .addOption(
      new Option('--compression <bits>', 'of each value of an update (default: none)').choices(
        COMPRESSION_CHOICES,
      ),
    )
    .option(
      '--keep <percent>',
      'send the largest values of an update only (default: all)',
      read.number(KEEP_PERCENT_MIN, 100),
    )
    .option(
      '--secure-aggregation',
      'mask updates: members see their sum only (mean, 3 members or more; experimental)',
    )
    .option(
      '--commit-reveal',
      "members commit to updates before they see others': none is made from those of a round",
    )
    .option(
      '--noise <factor>',
      'hide rows: noise on updates, in lengths of --clip (default: none)',
      read.number(0.01, 1_000),
    )
    .option('--clip <length>', 'with --noise: shorten updates to it', read.number(1e-6, 1e6))
    .option(
      '--delta <share>',
      'with --noise: the delta at which epsilon is told (default 0.00001)',
      read.number(1e-30, 0.01),
    )
    .option(
      '--deadline <seconds>',
      'when a round closes without the missing',
      read.number(0.1, 86_400),
      deadlineMs / 1_000,
    )
    .addOption(seedOption())
}

function rowsOptions(command: Command): Command {
  return command
    .requiredOption('--data <file>', 'CSV of your rows; it never leaves this machine')
    .option('--test <file>', 'CSV of held-out rows, to score every round')
    .option('--label <column>', 'label column, by name or number from 0')
    .option('--alone', 'train on your rows only first, to have something to compare with')
}
