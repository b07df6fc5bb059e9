/**
 * Commands about the signed history on the disk.
 */
import { type Command, Option } from 'commander'
import * as read from './arguments.js'
import type { Bind } from './program.js'

/** As the core's bound on the vertices of a history. */
const VERTICES_MAX = 65_536

/** Adds `dag`. */
export function addDagCommands(program: Command, bind: Bind): void {
  const dag = program.command('dag').description('the signed history, as it is on the disk')
  const limit = (count: number): Option =>
    new Option('--limit <n>', 'how many at most')
      .argParser(read.integer(1, VERTICES_MAX))
      .default(count)
  const log = dag.command('log').description('vertices, newest first').addOption(limit(20))
  bind(
    log.option('--author <id>', 'only those of an author, by the beginning of its id'),
    () => import('./commands/dag-log.js'),
  )
  const show = dag
    .command('show')
    .description('one vertex with everything in it')
    .argument('<id>', 'its id, or as much of the beginning as is unique')
  bind(show, () => import('./commands/dag-show.js'))
  const graph = dag
    .command('graph')
    .description('the newest vertices and what they follow')
    .addOption(limit(40))
    .addOption(
      new Option('--format <name>', 'text, or dot for Graphviz')
        .choices(['text', 'dot'])
        .default('text'),
    )
  bind(graph, () => import('./commands/dag-graph.js'))
  const verify = dag
    .command('verify')
    .description('every hash, signature and rule once more; exit code 1 if anything is wrong')
  bind(verify, () => import('./commands/dag-verify.js'))
  bind(
    dag
      .command('repair')
      .description('make a damaged history whole from what other members have; the identity stays')
      .option('--join <link>', 'link of the network, for members that this home does not know')
      .addOption(
        new Option('--timeout <seconds>', 'how long to look for what is missing')
          .argParser(read.integer(1, 3_600))
          .default(60),
      ),
    () => import('./commands/dag-repair.js'),
  )
  bind(
    dag.command('stats').description('the history in figures'),
    () => import('./commands/dag-stats.js'),
  )
}
