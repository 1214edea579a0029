import { availableParallelism, hostname } from 'node:os'
import type { Agent } from '#server/agents/index.ts'
import type { Executor, ExecutorProbe } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { isTooOld, OLDEST_GIT } from '#server/lib/git-version.ts'
import { formatBytes } from '#server/lib/units.ts'
import type { Models } from '#server/models/index.ts'
import type { Checkup } from '#server/peers/index.ts'
import { describePolicy } from '#server/placement/index.ts'
import { type AgentInfo, type Config, DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type ModelInfo } from '#shared/model/index.ts'
import { apiKey, type Environment, lookup, type ResolvedConfig, type Source, secretValues, settingPaths } from './config.ts'
import type { Trial } from './trial.ts'

export { tryExecutor } from './trial.ts'

interface Problem {
  /** `error`: no job can run before it is mended. */
  readonly severity: 'error' | 'warning'
  readonly what: string
  readonly fix: string
}

export interface DoctorReport {
  /** Whether a job could run. */
  readonly ok: boolean
  readonly node: string
  readonly git: string | null
  /** `trial`: what came of a sandbox that was made; null when none was asked for, or can be. */
  readonly sandboxes: readonly (ExecutorProbe & { kind: string; trial: Trial | null })[]
  readonly agents: readonly AgentInfo[]
  readonly models: readonly ModelInfo[]
  readonly unreachable: readonly { provider: string; reason: string }[]
  readonly disk: { readonly dataDir: string; readonly freeBytes: number | null; readonly writable: boolean }
  /** Whether Tailscale can be used, and how. */
  readonly tailscale: Checkup['mesh']
  /** Whose jobs are taken here, and when; one line a rule. */
  readonly policy: readonly string[]
  /** Address of the server that runs on this data directory, or null. */
  readonly server: string | null
  readonly settings: readonly { path: string; value: unknown; source: Source }[]
  readonly problems: readonly Problem[]
}

export interface DoctorDeps {
  readonly resolved: ResolvedConfig
  readonly env: Environment
  readonly executors: readonly Executor[]
  readonly agents: readonly Agent[]
  readonly models: Models
  readonly nodeVersion: string
  /** What `git --version` prints, or null without git. */
  readonly git: () => Promise<string | null>
  /** What is free where the data directory is or will be, and whether this user may write there. */
  readonly disk: (dataDir: string) => Promise<{ freeBytes: number | null; writable: boolean }>
  /** How this node stands with other nodes. */
  readonly peers: () => Promise<Checkup>
  readonly server: string | null
  readonly clock: Pick<Clock, 'now'>
  /** Makes a sandbox and removes it; default: none is made. */
  readonly tryExecutor?: (executor: Executor) => Promise<Trial>
}

const MODELS_TIMEOUT_MS = 5_000
/** A clock before this program was written is wrong, and certificates and leases do not work by it. */
const EARLIEST_TIME = Date.UTC(2026, 0, 1)

/** Looks at what a job needs on this machine. Needs no running server and changes nothing. */
export async function diagnose(deps: DoctorDeps): Promise<DoctorReport> {
  const { resolved, executors, agents, models, clock, env } = deps
  const { dataDir } = resolved.config
  const [git, sandboxes, infos, listed, space, fleet] = await Promise.all([
    deps.git(),
    Promise.all(executors.map(executor => look(executor, deps))),
    Promise.all(agents.map(agent => agent.probe())),
    models.list(AbortSignal.timeout(MODELS_TIMEOUT_MS)),
    deps.disk(dataDir),
    deps.peers(),
  ])
  const found: Findings = { git, sandboxes, agents: infos, ...listed, disk: { dataDir, ...space } }
  const problems = [
    ...gitProblems(found),
    ...sandboxProblems(found),
    ...diskProblems(found, resolved.config),
    ...agentProblems(found),
    ...modelProblems(found, resolved.config, env),
    ...addressProblems(resolved.config),
    ...clockProblems(clock.now()),
    ...fleet.problems.map((problem): Problem => ({ severity: 'warning', ...problem })),
  ]
  return {
    ok: problems.every(({ severity }) => severity !== 'error'),
    node: deps.nodeVersion,
    ...found,
    tailscale: fleet.mesh,
    policy: describePolicy(resolved.config.fleet.accept),
    server: deps.server,
    settings: settings(resolved, env),
    problems,
  }
}

async function look(executor: Executor, { tryExecutor }: DoctorDeps): Promise<Findings['sandboxes'][number]> {
  const probe = await executor.probe()
  const trial = tryExecutor && probe.available ? await tryExecutor(executor) : null
  return { kind: executor.kind, ...probe, trial }
}

type Findings = Pick<DoctorReport, 'git' | 'sandboxes' | 'agents' | 'models' | 'unreachable' | 'disk'>

function gitProblems({ git }: Findings): Problem[] {
  const fix = `Install git ${OLDEST_GIT} or newer, for instance by \`apt install git\`.`
  if (git === null) return [{ severity: 'error', what: 'git was not found on PATH.', fix }]
  return isTooOld(git) ? [{ severity: 'error', what: `${git} is too old.`, fix }] : []
}

function sandboxProblems({ sandboxes }: Findings): Problem[] {
  const failed = sandboxes.flatMap(({ kind, trial }): Problem[] =>
    trial && !trial.ok
      ? [
          {
            severity: 'warning',
            what: `A sandbox of the executor ${kind} could not be used: ${trial.detail}`,
            fix: trial.remedy ?? 'Ask for another executor (`--executor`).',
          },
        ]
      : [],
  )
  if (sandboxes.some(({ available }) => available)) {
    const broken = sandboxes.filter(({ available, isBroken = false }) => !available && isBroken)
    return [
      ...failed,
      ...broken.map(
        ({ kind, detail, remedy }): Problem => ({
          severity: 'warning',
          what: `The executor ${kind} cannot be used: ${detail}`,
          fix: remedy ?? 'Jobs go to the others.',
        }),
      ),
    ]
  }
  return sandboxes.map(({ detail, remedy }) => ({
    severity: 'error',
    what: `No sandbox can be made: ${detail}`,
    fix: remedy ?? 'Jobs can still be run with --no-sandbox, which gives them the rights of the server.',
  }))
}

function diskProblems({ disk }: Findings, config: Config): Problem[] {
  if (!disk.writable) {
    return [
      {
        severity: 'error',
        what: `${disk.dataDir} cannot be written.`,
        fix: 'Give this user the right to, or set SKEIN_DATA_DIR to another directory.',
      },
    ]
  }
  if (disk.freeBytes === null || disk.freeBytes >= config.storage.reserveBytes) return []
  const missing = formatBytes(config.storage.reserveBytes - disk.freeBytes)
  return [
    {
      severity: 'error',
      what: `${disk.dataDir} has ${formatBytes(disk.freeBytes)} free.`,
      fix: `Free ${missing}, or lower storage.reserveBytes.`,
    },
  ]
}

function agentProblems({ agents }: Findings): Problem[] {
  const coding = agents.filter(({ kind }) => kind !== 'command')
  if (coding.some(({ usable }) => usable)) return []
  const remedies = coding.flatMap(({ remedy }) => remedy ?? []).slice(0, 2)
  return [
    {
      severity: 'warning',
      what: 'No coding agent is usable; only commands can be run.',
      fix: remedies.join(' Or: ') || 'Install one, such as OpenCode.',
    },
  ]
}

function modelProblems({ models, unreachable }: Findings, config: Config, env: Environment): Problem[] {
  const silent = unreachable.map(
    ({ provider, reason }): Problem => ({
      severity: 'warning',
      what: `Model provider ${provider} offers nothing: ${reason}`,
      fix: `Start it, or change models.providers in skein.yaml.`,
    }),
  )
  const keyless = config.models.providers.flatMap((provider): Problem[] =>
    provider.kind === 'openai-compatible' && provider.apiKeyEnv && apiKey(provider, env) === null
      ? [
          {
            severity: 'warning',
            what: `Model provider ${provider.id} has no key.`,
            fix: `Set ${provider.apiKeyEnv} in the environment of the server.`,
          },
        ]
      : [],
  )
  if (models.length > 0 || silent.length > 0) return [...silent, ...keyless]
  return [
    ...keyless,
    { severity: 'warning', what: 'No provider offers a model.', fix: 'Pull one, for instance by `ollama pull qwen3`.' },
  ]
}

function addressProblems({ api }: Config): Problem[] {
  if (/^(127(\.\d+){3}|::1|localhost)$/.test(api.host)) return []
  return [
    {
      severity: 'warning',
      what: `The server listens on ${api.host}, so other machines can reach it; only the token keeps them out, and it travels unencrypted.`,
      fix: 'Set SKEIN_HOST=127.0.0.1, or put it behind something that speaks TLS.',
    },
  ]
}

function clockProblems(now: number): Problem[] {
  if (now >= EARLIEST_TIME) return []
  return [{ severity: 'warning', what: `The clock says ${new Date(now).toISOString()}.`, fix: 'Set the time of this machine.' }]
}

/** Every setting with the value that counts, secrets struck out. */
function settings({ config, sourceOf }: ResolvedConfig, env: Environment): DoctorReport['settings'] {
  const effective: Record<string, unknown> = {
    'node.name': hostname(),
    'node.concurrency': availableParallelism(),
    ...prefixed('jobs.timeouts', DEFAULT_TIMEOUTS),
    ...prefixed('jobs.limits', DEFAULT_LIMITS),
  }
  const secrets = secretValues(env, config.models.providers).map(({ value }) => value)
  return settingPaths().map(path => ({
    path,
    value: withoutSecrets(lookup(config, path) ?? effective[path] ?? null, secrets),
    source: sourceOf(path),
  }))
}

const prefixed = (prefix: string, values: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}.${key}`, value]))

const HIDDEN = '(hidden)'

/** Hides secrets of the environment, passwords in URLs, and all values an agent gets by its environment, whose names say enough. */
function withoutSecrets(value: unknown, secrets: readonly string[], key = ''): unknown {
  if (typeof value === 'string') {
    const plain = secrets.reduce((text, secret) => text.replaceAll(secret, HIDDEN), value)
    return plain.replaceAll(/(:\/\/[^/\s:@]*:)[^/\s@]+@/g, `$1${HIDDEN}@`)
  }
  if (Array.isArray(value)) return value.map(item => withoutSecrets(item, secrets))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, key === 'env' ? HIDDEN : withoutSecrets(item, secrets, name)]),
  )
}
