import { Argument, Command, type CommanderError, InvalidArgumentError, Option } from 'commander'
import { VERSION } from '#server/lib/version.ts'
import type { JobState } from '#shared/model/index.ts'
import { EXIT, EXIT_CODES_HELP, type ExitCode } from './exit-codes.ts'
import type { World } from './world.ts'

const STATES: readonly JobState[] = ['queued', 'placing', 'preparing', 'running', 'checking', 'succeeded', 'failed', 'cancelled']

/** Takes a whole number within bounds. */
const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    return value
  }
const collect = (value: string, before: string[]): string[] => [...before, value]
const many = (flags: string, description: string): Option => new Option(flags, description).argParser(collect).default([], 'none')

/** Options of every command that talks to a server. */
function remote(command: Command): Command {
  return command
    .option('--json', 'print JSON: one document, or one line each where it follows')
    .option('--url <url>', 'address of the server (or SKEIN_URL)')
    .option('--token <token>', 'its token (better by SKEIN_TOKEN: other users can read arguments)')
    .option('--data-dir <directory>', 'where a server of this machine keeps its data (or SKEIN_DATA_DIR)')
    .option('--config <file>', 'settings file (or SKEIN_CONFIG)')
}

/**
 * Every command with its options. The code behind a command is loaded when it runs, so that `--help` and `--version` are quick.
 * @param argv what stood after `--`, which is the program of `run`
 * @param done called with the exit code of the command
 * @param again runs another command line, for the demo, which plays its user
 */
export function createProgram(
  world: World,
  argv: readonly string[],
  done: (code: ExitCode) => void,
  again: (argv: string[], world: World) => Promise<number>,
): Command {
  const program = new Command('skein')
    .description('make -j for coding agents, over your own machines')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('(see --help)')
    .showSuggestionAfterError()
    .addHelpText('after', `\n${EXIT_CODES_HELP}`)
    .exitOverride()
    .configureOutput({
      getOutHelpWidth: () => Math.min(world.out.columns, 110),
      getErrHelpWidth: () => Math.min(world.err.columns, 110),
    })
  const command = (name: string, description: string): Command => program.command(name).description(description)

  command('serve', 'run the orchestrator')
    .option('--port <port>', 'port to listen on; 0 takes any free one (or API_PORT; default 8080)')
    .option('--host <address>', 'address to listen on (or SKEIN_HOST; default 127.0.0.1)')
    .option('--data-dir <directory>', 'where jobs, logs and the token are kept (or SKEIN_DATA_DIR)')
    .option('--config <file>', 'settings file (or SKEIN_CONFIG)')
    .option('--name <name>', 'name of this node (or SKEIN_NODE_NAME; default: the host name)')
    .option('--concurrency <attempts>', 'attempts at once (or SKEIN_CONCURRENCY; default: the number of cores)')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (or SKEIN_LOG_LEVEL)')
    .option('--json', 'print one JSON object when ready')
    .action(async options => done(await (await import('./commands/serve.ts')).serve(world, options)))

  remote(command('run', 'run a job and follow it to its end'))
    .usage('[options] TASK\n       skein run [options] [TASK] -- PROGRAM [ARGUMENTS…]')
    .addArgument(new Argument('[task]', 'what to do, in words'))
    .option('-a, --agent <id>', 'agent to run; default: the first usable one (see `skein agents`)')
    .option('-m, --model <name>', 'model for the agent (see `skein models`)')
    .addOption(many('-c, --check <script>', 'shell script that must exit 0 on the result; may be repeated'))
    .addOption(many('--setup <script>', 'shell script to run first in every fresh sandbox; may be repeated'))
    .option('--changes', 'start from HEAD and uncommitted changes (the default at a terminal)')
    .option('--head', 'start from HEAD alone (the default where CI is set or output is no terminal)')
    .option('--repo <path>', 'repository to work on (default: the one you are in)')
    .option('--spec <feature/task>', 'task of a spec that it is for, such as 001-login/T012')
    .option('--no-repo', 'work in an empty directory')
    .option('--no-sandbox', 'run with the rights of the server; recorded in the result')
    .addOption(
      new Option('--executor <kind>', 'how its sandboxes are made (default: as lightly as the rest allows)').choices([
        'auto',
        'process',
        'container',
        'kubernetes',
      ]),
    )
    .option('--image <name>', 'image its sandboxes start from, such as node:24')
    .addOption(new Option('--isolation <level>', 'the least that keeps it in').choices(['process', 'container', 'vm']))
    .addOption(new Option('--gpus <n>', 'GPUs each of its sandboxes is given').argParser(whole(1, 64)))
    .addOption(
      many('--allow <host>', 'host the sandbox may reach, such as registry.npmjs.org or *.example.org:443; may be repeated'),
    )
    .addOption(new Option('--permissions <policy>', 'what an agent that asks is told').choices(['allow', 'ask', 'deny']))
    .addOption(new Option('--priority <n>', 'higher runs first, -100 to 100').argParser(whole(-100, 100)))
    .option('--timeout <duration>', 'longest run of the agent, such as 30m')
    .option('--memory <bytes>', 'memory of the sandbox, such as 4G')
    .addOption(many('--env <name=value>', 'environment variable inside; may be repeated'))
    .addOption(many('--on <node>', 'only on this node, by name or id; may be repeated'))
    .addOption(many('--not-on <node>', 'not on this node; may be repeated'))
    .addOption(many('--label <name=value>', 'label the node must carry; may be repeated'))
    .addOption(new Option('--needs <what>', 'what the node must have').choices(['gpu']))
    .option('--local', 'only on the node the job is given to')
    .option(
      '--disconnect <how>',
      'when the node that runs it is not heard of: replace (default), wait=2h, or keep-both until one finishes',
    )
    .option('-d, --detach', 'print the id of the job and go')
    .option('--apply', 'apply the result to the work tree when the job succeeded')
    .option('--raw', 'pass the log on as it is, escape sequences and all')
    .addHelpText(
      'after',
      `\nCtrl-C detaches and says how to come back; a second one within 3 seconds cancels the job.\n\n${EXIT_CODES_HELP}`,
    )
    .action(async (task: string | undefined, options) =>
      done(await (await import('./commands/run.ts')).run(world, task, argv, options)),
    )

  remote(command('logs', 'show the log of a job'))
    .argument('<id>', 'job id, or three or more characters from either end of one')
    .option('-f, --follow', 'go on to the end of the job')
    .addOption(new Option('--offset <byte>', 'byte to start at').argParser(whole(0)).default(0))
    .option('--raw', 'pass the log on as it is, escape sequences and all')
    .action(async (id: string, options) => done(await (await import('./commands/logs.ts')).logs(world, id, options)))

  const jobs = remote(command('jobs', 'list jobs, newest first'))
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(STATES))
    .option('--active', 'only jobs that have not ended')
    .option('--spec <feature>', 'only jobs for tasks of a feature, such as 001-login')
    .option('--repo <path>', 'with --spec: only those of this repository')
    .addOption(new Option('-n, --limit <n>', 'how many').argParser(whole(1)).default(20))
    .option('--all', 'all of them')
    .action(async options => done(await (await import('./commands/jobs.ts')).listJobs(world, options)))
  remote(jobs.command('specs').description('list the features that jobs are for, with how many')).action(
    async (_, specs: Command) => done(await (await import('./commands/jobs.ts')).listJobSpecs(world, specs.optsWithGlobals())),
  )
  remote(jobs.command('show').description('show one job'))
    .argument('<id>')
    .option('--why', 'how its attempts came to their nodes: every bid and its score')
    .action(async (id: string, _, show: Command) =>
      done(await (await import('./commands/jobs.ts')).showJob(world, id, show.optsWithGlobals())),
    )

  remote(command('diff', 'show what a job changed'))
    .argument('<id>')
    .option('--stat', 'only files and counts')
    .action(async (id: string, options) => done(await (await import('./commands/diff.ts')).diff(world, id, options)))

  remote(command('apply', 'merge the result of a job into your work tree, all of it or nothing'))
    .argument('<id>')
    .option('-b, --branch <name>', 'make a branch of it instead; the work tree stays as it is')
    .option('--dry-run', 'only say what would change')
    .option('--repo <path>', 'repository to apply it to (default: the one the job was started from)')
    .action(async (id: string, options) => done(await (await import('./commands/apply.ts')).apply(world, id, options)))

  remote(command('cancel', 'ask jobs to end'))
    .argument('<id...>')
    .action(async (ids: string[], options) => done(await (await import('./commands/control.ts')).cancel(world, ids, options)))

  remote(command('retry', 'run a job that has ended again, from the same snapshot'))
    .argument('<id>')
    .option('-f, --follow', 'follow the new job to its end')
    .option('--raw', 'pass the log on as it is, escape sequences and all')
    .action(async (id: string, options) => done(await (await import('./commands/control.ts')).retry(world, id, options)))

  remote(command('answer', 'answer a permission request of an agent'))
    .argument('<id>')
    .argument('<request>', 'id of the request (see `skein events`)')
    .argument('<option>', 'id of the chosen option')
    .action(async (id: string, request: string, option: string, options) =>
      done(await (await import('./commands/control.ts')).answer(world, id, request, option, options)),
    )

  remote(command('events', 'list the events of a job'))
    .argument('<id>')
    .option('-f, --follow', 'go on to the end of the job')
    .action(async (id: string, options) => done(await (await import('./commands/logs.ts')).events(world, id, options)))

  const spec = command('spec', 'Spec Kit features of a repository: their tasks, and what is wrong with them')
  const ofSpecs = (text: string, description: string): Command =>
    remote(spec.command(text).description(description)).option('--repo <path>', 'repository (default: the one you are in)')
  ofSpecs('list', 'list the features').action(async options =>
    done(await (await import('./commands/spec.ts')).listSpecs(world, options)),
  )
  ofSpecs('show', 'show one feature: its tasks, their jobs, and what is wrong')
    .argument('<feature>', 'name of its folder, such as 001-login')
    .action(async (feature: string, options) =>
      done(await (await import('./commands/spec.ts')).showSpec(world, feature, options)),
    )
  ofSpecs('check', 'say what is wrong; exits 1 when there is an error')
    .argument('[feature]', 'name of its folder; default: all')
    .option('--strict', 'exit 1 for warnings too')
    .action(async (feature: string | undefined, options) =>
      done(await (await import('./commands/spec.ts')).checkSpecs(world, feature, options)),
    )
  ofSpecs('tick', 'tick a task whose newest job succeeded with green checks: in an open editor, else on a branch')
    .argument('<feature>', 'name of its folder, such as 001-login')
    .argument('<task>', 'id of the task, such as T012')
    .option('--clear', 'clear the box instead')
    .action(async (feature: string, task: string, options) =>
      done(await (await import('./commands/spec.ts')).tickSpec(world, feature, task, options)),
    )

  const peers = remote(command('peers', 'list the nodes this one knows'))
    .option('-w, --watch', 'go on as they change; with --json a line for each change')
    .action(async options => done(await (await import('./commands/peers.ts')).listPeers(world, options)))
  remote(peers.command('add').description('pair with a node, by the code that `skein pair` shows there'))
    .argument('<address>', 'where it is asked, such as http://desktop:8080')
    .argument('<code>')
    .option('--take-jobs', 'also run jobs of that node here')
    .action(async (address: string, code: string, _, add: Command) =>
      done(await (await import('./commands/peers.ts')).addPeer(world, address, code, add.optsWithGlobals())),
    )
  remote(peers.command('remove').description('end the trust in a node at once'))
    .argument('<node>', 'its name or id')
    .action(async (node: string, _, remove: Command) =>
      done(await (await import('./commands/peers.ts')).removePeer(world, node, remove.optsWithGlobals())),
    )
  remote(peers.command('trust').description('trust a node of the tailnet again: its key changed, or it was removed here'))
    .argument('<node>', 'its name or id')
    .action(async (node: string, _, trust: Command) =>
      done(await (await import('./commands/peers.ts')).trustPeer(world, node, trust.optsWithGlobals())),
    )
  remote(peers.command('self').description('print the id of this node, by which the settings of others name it')).action(
    async (_, self: Command) => done(await (await import('./commands/peers.ts')).self(world, self.optsWithGlobals())),
  )
  remote(peers.command('rotate-key').description('take a new key in place of this node’s own; its id and all trust stay'))
    .option('--grace <duration>', 'how long others still take the old key (default: 10m)')
    .option('--force', 'also when some peers know no change of keys, and have to be paired anew')
    .action(async (_, rotate: Command) =>
      done(await (await import('./commands/peers.ts')).rotateKey(world, rotate.optsWithGlobals())),
    )
  remote(command('pair', 'make a one-time code that lets another node run its jobs here')).action(async options =>
    done(await (await import('./commands/peers.ts')).pair(world, options)),
  )
  remote(command('drain', 'take no more attempts, over restarts too; what runs goes on'))
    .option('--hand-back', 'give attempts of other nodes back to their homes, which place them again')
    .option('--after <duration>', 'with --hand-back: let them finish for so long first, such as 10m')
    .option('--wait', 'wait until nothing runs any more')
    .option('--show', 'change nothing; only say how it stands')
    .option('--off', 'take attempts again')
    .action(async options => done(await (await import('./commands/drain.ts')).drain(world, options)))
  remote(command('agents', 'list the agents of the server')).action(async options =>
    done(await (await import('./commands/node.ts')).agents(world, options)),
  )
  const executors = remote(command('executors', 'list how the server can make sandboxes, and what each way can give now')).action(
    async options => done(await (await import('./commands/workloads.ts')).executors(world, options)),
  )
  executors
    .command('setup')
    .description('print what a cluster needs for sandboxes: namespace, account, rights, quota, network policy')
    .addArgument(new Argument('<kind>').choices(['kubernetes']))
    .option('--apply', 'put it into the cluster of the kubeconfig instead')
    .addOption(new Option('--sandboxes <n>', 'how many the quota leaves room for').argParser(whole(1, 100_000)).default(20))
    .option('--json', 'print JSON')
    .option('--config <file>', 'as for serve')
    .action(async (_kind, _, setup: Command) =>
      done(await (await import('./commands/executors.ts')).setupKubernetes(world, setup.optsWithGlobals())),
    )
  remote(command('workloads', 'list processes, containers and pods that belong to jobs')).action(async options =>
    done(await (await import('./commands/workloads.ts')).workloads(world, options)),
  )
  remote(command('evict', 'free the place of a job or workload; the job is placed again'))
    .argument('<id>', 'id of a job, or of a workload as `skein workloads` lists it')
    .action(async (id: string, options) => done(await (await import('./commands/workloads.ts')).evict(world, id, options)))
  remote(command('models', 'list the models the server can reach')).action(async options =>
    done(await (await import('./commands/node.ts')).models(world, options)),
  )
  remote(command('prune', 'remove ended jobs by age and size'))
    .option('--older-than <duration>', 'only jobs that ended longer ago, such as 7d (default: the setting storage.keepEndedMs)')
    .option('--keep <bytes>', 'keep the newest up to so much, such as 5G')
    .option('--dry-run', 'only say what would be removed')
    .action(async options => done(await (await import('./commands/node.ts')).prune(world, options)))
  remote(command('token', 'say where the token of this machine’s server is'))
    .option('--show', 'print the token itself')
    .action(async options => done(await (await import('./commands/node.ts')).token(world, options)))

  command('doctor', 'say what was found here, where each setting came from, and what to mend')
    .option('--try', 'make a sandbox of each kind and remove it, which tests the way home from a pod')
    .option('--json', 'print one JSON document')
    .option('--data-dir <directory>', 'as for serve')
    .option('--config <file>', 'as for serve')
    .action(async options => done(await (await import('./commands/doctor.ts')).doctor(world, options)))

  command('lsp', 'answer an editor on stdin and stdout: Spec Kit documents, and the orchestrator')
    .option('--stdio', 'what editors say who could also speak over something else')
    .addOption(new Option('--clientProcessId <pid>', 'end when that process does').hideHelp())
    .action(async () => done(await (await import('./commands/lsp.ts')).lsp(world)))

  command('demo', 'show the whole job on a throw-away repository: agent, sandbox, check, diff, branch')
    .addOption(new Option('--fleet <nodes>', 'show several nodes on this machine instead').argParser(whole(2, 8)))
    .action(async options => done(await (await import('./commands/demo.ts')).demo(world, options, again)))

  command('completion', 'print a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      await world.out.write((await import('./commands/completion.ts')).completion(shell, program))
      done(EXIT.ok)
    })
  return program
}

/** Commander ends help, the version and wrong usage by throwing. */
export function usageExit(error: CommanderError): ExitCode {
  return error.exitCode === 0 ? EXIT.ok : EXIT.usage
}
