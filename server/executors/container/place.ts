import { readFileSync } from 'node:fs'
import type { Limits } from '#shared/model/index.ts'
import type { SandboxSpec } from '../index.ts'
import { parseHardLimits } from '../rlimits.ts'
import { runnerCommand } from '../runner/index.ts'
import type { Image } from './image.ts'

/** Where things are inside, whatever the image: in a directory of ours, because paths of this machine are shown at the same place. */
export const INSIDE = {
  all: '/skein',
  work: '/skein/work',
  home: '/skein/home',
  run: '/skein/run',
  spool: '/skein/spool',
  runner: '/skein/runner.mjs',
  tmp: '/tmp',
} as const

export const LABELS = {
  node: 'skein.node',
  sandbox: 'skein.sandbox',
  job: 'skein.job',
  epoch: 'skein.epoch',
  purpose: 'skein.purpose',
  image: 'skein.image',
  digest: 'skein.image-digest',
  isolation: 'skein.isolation',
  memory: 'skein.memory-bytes',
} as const

/** What of a container depends on the way by which its sandbox comes into it. */
export interface Opening {
  readonly mounts: readonly object[]
  /** `none`, or the name of a network of the engine. */
  readonly network: string
  readonly securityOptions: readonly string[]
  /** How numbers of users inside are those outside; null: as the engine does. */
  readonly users: string | null
}

/** Who programs inside are. */
export interface User {
  readonly uid: number
  readonly gid: number
}

export const labelsOf = (nodeId: string, spec: SandboxSpec, image: Image, isolation: string): Record<string, string> => ({
  [LABELS.node]: nodeId,
  [LABELS.sandbox]: spec.id,
  [LABELS.image]: image.name,
  [LABELS.isolation]: isolation,
  [LABELS.memory]: String(spec.limits.memoryBytes),
  ...(image.digest ? { [LABELS.digest]: image.digest } : {}),
  ...(spec.job ? { [LABELS.job]: spec.job.id, [LABELS.epoch]: String(spec.job.epoch), [LABELS.purpose]: spec.job.purpose } : {}),
})

const OPEN_FILES = 65_536
const PROCESSES = 4096
/** The shell, and the runner with its threads, are not the job's. */
const RUNNER_THREADS = 32
/** What is written to memory stays there when its writer is ended; there must be room for the runner beside it. */
const [TMP_SHARE, VOLUME_SHARE] = [1 / 2, 1 / 16]

/** Said here, because an engine's own default may be more than a server of this machine can give. */
function ulimits(): object[] {
  const { nofile, nproc } = parseHardLimits(process.platform === 'linux' ? readFileSync('/proc/self/limits', 'latin1') : '')
  const limit = (Name: string, value: number) => ({ Name, Soft: value, Hard: value })
  // How many processes there are is limited for the container as a whole.
  return [limit('core', 0), limit('nofile', Math.min(OPEN_FILES, nofile)), limit('nproc', Math.min(PROCESSES, nproc))]
}

interface Walls {
  readonly image: Image
  readonly limits: Pick<Limits, 'memoryBytes' | 'processes'>
  readonly labels: Readonly<Record<string, string>>
  readonly runtime: string | null
  readonly tmpfs: Readonly<Record<string, string>>
}

/** What every container of ours is asked to be made with, whatever its image says: all walls there are. */
export function walls({ image, limits, labels, runtime, tmpfs }: Walls, mounts: readonly object[]): object {
  return {
    Image: image.id,
    Labels: labels,
    WorkingDir: '/',
    StopSignal: 'SIGKILL',
    // What the image would have run besides, by the engine and out of our sight.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      PidsLimit: limits.processes + RUNNER_THREADS,
      Ulimits: ulimits(),
      // A volume of the engine would be room that nobody counts.
      Tmpfs: { ...Object.fromEntries(image.volumes.map(path => [path, tmpfsOf(limits, VOLUME_SHARE)])), ...tmpfs },
      Mounts: mounts,
      ...(runtime ? { Runtime: runtime } : {}),
    },
  }
}

/** Programs are built and run there; what is in it counts as memory. */
const tmpfsOf = ({ memoryBytes }: Pick<Limits, 'memoryBytes'>, share: number): string =>
  `rw,exec,nosuid,nodev,mode=1777,size=${Math.floor(memoryBytes * share)}`

/** The container of a sandbox. Nothing of the machine is in it but what the opening names. */
export function containerBody(input: {
  image: Image
  /** Of the runner. */
  node: string
  opening: Opening
  user: User
  limits: Limits
  labels: Record<string, string>
  runtime: string | null
}): object {
  const { opening, user, limits } = input
  const [shell = '', ...argv] = runnerCommand(input.node, INSIDE.runner, `${INSIDE.run}/token`)
  const body = walls({ ...input, tmpfs: { [INSIDE.tmp]: tmpfsOf(limits, TMP_SHARE) } }, opening.mounts) as {
    HostConfig: { SecurityOpt: string[] }
  }
  return {
    ...body,
    Entrypoint: [shell],
    Cmd: argv,
    User: `${user.uid}:${user.gid}`,
    Env: [`HOME=${INSIDE.home}`],
    HostConfig: {
      ...body.HostConfig,
      NetworkMode: opening.network,
      // Names are for the gateway to resolve: questions for them would be a way out too.
      ...(opening.network === 'none' ? {} : { Dns: ['127.0.0.1'] }),
      SecurityOpt: [...body.HostConfig.SecurityOpt, ...opening.securityOptions],
      ...(opening.users === null ? {} : { UsernsMode: opening.users }),
    },
  }
}
