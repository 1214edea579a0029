import { randomUUID } from 'node:crypto'
import { parseBytes, parseDuration } from '#server/lib/units.ts'
import { type Disconnect, type JobRequest, SpecTaskRef } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { watch } from '../follow.ts'
import { repositoryRoot } from '../repository.ts'
import type { World } from '../world.ts'
import { applyJob } from './apply.ts'

export interface RunOptions extends ConnectionOptions {
  readonly agent?: string
  readonly model?: string
  readonly check: readonly string[]
  readonly setup: readonly string[]
  readonly head?: boolean
  readonly changes?: boolean
  readonly sandbox: boolean
  readonly executor?: JobRequest['executor']
  readonly image?: string
  readonly isolation?: JobRequest['isolation']
  readonly gpus?: number
  readonly allow: readonly string[]
  readonly permissions?: 'allow' | 'ask' | 'deny'
  readonly priority?: number
  readonly timeout?: string
  readonly memory?: string
  readonly label: readonly string[]
  readonly on: readonly string[]
  readonly notOn: readonly string[]
  readonly needs?: 'gpu'
  readonly local?: boolean
  readonly disconnect?: string
  readonly env: readonly string[]
  /** A path, or false for none. */
  readonly repo: string | boolean
  /** Feature and task, such as `001-login/T012`. */
  readonly spec?: string
  readonly detach?: boolean
  readonly apply?: boolean
  readonly json?: boolean
  readonly raw?: boolean
}

/** Submits a job and follows it to its end. @param argv what stood after `--`: the program of agent `command`. */
export async function run(
  world: World,
  task: string | undefined,
  argv: readonly string[],
  options: RunOptions,
): Promise<ExitCode> {
  const connection = await connect(world, options)
  const request = await jobRequest(world, task, argv, options)
  const { jobId } = await connection.client.createJob({ body: request, headers: { 'idempotency-key': randomUUID() } })
  if (options.json) await world.out.line(JSON.stringify({ type: 'accepted', jobId }))
  else if (options.detach) await world.out.line(jobId)
  if (options.detach) return EXIT.ok
  const code = await watch(world, connection, jobId, {
    json: options.json === true,
    raw: options.raw === true,
    ...(options.json ? {} : { greeting: `job ${jobId}${scope(request)}; Ctrl-C detaches` }),
  })
  if (code !== EXIT.ok || !options.apply) return code
  const job = await connection.client.getJob({ params: { id: jobId } })
  // It succeeded, and was seen to have changed nothing: there is nothing left to do.
  if (!job.result?.commit) return EXIT.ok
  return applyJob(world, connection, job, { json: options.json === true })
}

const scope = ({ repository }: JobRequest): string =>
  repository === undefined
    ? ' in an empty directory'
    : repository.include === 'changes'
      ? ' on HEAD and uncommitted changes'
      : ' on HEAD'

/**
 * Uncommitted changes are part of the job where a person works (a terminal), and are left out where a program does (CI, pipes):
 * a person means what the editor shows, a pipeline what was committed.
 */
export function includesChanges(world: Pick<World, 'env' | 'out'>, options: Pick<RunOptions, 'head' | 'changes'>): boolean {
  if (options.head) return false
  return options.changes ?? (world.out.isTerminal && !world.env.CI)
}

async function jobRequest(
  world: World,
  task: string | undefined,
  argv: readonly string[],
  options: RunOptions,
): Promise<JobRequest> {
  if (task === undefined && argv.length === 0) {
    throw new CliError(EXIT.usage, 'Say what to do: `skein run "make the test pass"`, or `skein run -- PROGRAM ARGUMENTS…`.')
  }
  if (options.head && options.changes) throw new CliError(EXIT.usage, '--head and --changes exclude each other.')
  const agent = options.agent ?? (argv.length > 0 ? 'command' : undefined)
  const root =
    options.repo === false ? null : await repositoryRoot(typeof options.repo === 'string' ? options.repo : world.cwd, world)
  return {
    task: task ?? '',
    ...(agent === undefined ? {} : { agent }),
    ...(argv.length > 0 ? { argv: [...argv] } : {}),
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(root === null
      ? {}
      : { repository: { path: root, include: includesChanges(world, options) ? ('changes' as const) : ('head' as const) } }),
    ...(options.spec === undefined ? {} : { spec: specTask(options.spec) }),
    setup: options.setup.map(shell),
    checks: options.check.map(shell),
    sandbox: options.sandbox ? 'required' : 'none',
    ...(options.executor === undefined ? {} : { executor: options.executor }),
    ...(options.image === undefined ? {} : { image: options.image }),
    ...(options.isolation === undefined ? {} : { isolation: options.isolation }),
    ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
    ...(options.permissions === undefined ? {} : { permissions: options.permissions }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(options.timeout === undefined ? {} : { timeouts: { runMs: duration('--timeout', options.timeout) } }),
    ...(options.disconnect === undefined ? {} : { disconnect: disconnect(options.disconnect) }),
    ...(options.memory === undefined ? {} : { limits: { memoryBytes: bytes('--memory', options.memory) } }),
    network: { allow: [...options.allow] },
    env: pairs('--env', options.env),
    where: {
      on: [...options.on],
      notOn: [...options.notOn],
      labels: pairs('--label', options.label),
      gpu: options.needs === 'gpu',
      local: options.local === true,
    },
  }
}

/** @throws {CliError} */
function specTask(text: string): SpecTaskRef {
  const [, feature = '', task = ''] = /^(?:specs\/)?([^/]+)\/([^/]+)$/.exec(text) ?? []
  const parsed = SpecTaskRef.safeParse({ feature, task })
  if (parsed.success) return parsed.data
  throw new CliError(EXIT.usage, `--spec takes a feature and a task, such as 001-login/T012, not "${text}".`)
}

/** @throws {CliError} */
function disconnect(text: string): Disconnect {
  if (text === 'replace' || text === 'keep-both') return { kind: text }
  const [, wait] = /^wait=(.+)$/.exec(text) ?? []
  if (wait === undefined)
    throw new CliError(EXIT.usage, `--disconnect takes replace, wait=DURATION (such as wait=2h) or keep-both, not "${text}".`)
  return { kind: 'wait', ms: duration('--disconnect wait', wait) }
}

/** What a person types as a check is a shell's script; the API itself takes argument lists only. */
const shell = (script: string): string[] => ['sh', '-c', script]

/** @throws {CliError} */
export function duration(flag: string, text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw new CliError(EXIT.usage, `${flag} takes a duration such as 90s, 30m or 7d, not "${text}".`)
  return ms
}

/** @throws {CliError} */
export function bytes(flag: string, text: string): number {
  const amount = parseBytes(text)
  if (amount === null) throw new CliError(EXIT.usage, `${flag} takes an amount of bytes such as 500M or 5G, not "${text}".`)
  return amount
}

function pairs(flag: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map(text => {
      const at = text.indexOf('=')
      if (at < 1) throw new CliError(EXIT.usage, `${flag} takes NAME=VALUE, not "${text}".`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}
