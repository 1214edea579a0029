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

/** Directories and files of this machine that a place is made of. */
export interface PlaceParts {
  readonly workTree: string
  readonly home: string
  readonly spool: string
  /** Holds the socket, the token and the list of users; read-only inside. */
  readonly run: string
  readonly runnerFile: string
  readonly hostNode: string
  readonly readOnly: readonly string[]
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

/** The container of a sandbox. Nothing of the machine is in it but the parts. */
export function containerBody(input: {
  image: Image
  /** Of the runner. */
  node: string
  parts: PlaceParts
  user: User
  /** Whether numbers of users inside are others outside, unless told to be the same. */
  rootless: boolean
  limits: Limits
  labels: Record<string, string>
  runtime: string | null
  /** File with the profile of system calls; null: the engine's own. */
  seccomp: string | null
}): object {
  const { parts, user, limits } = input
  const mount = (Source: string, Target: string, ReadOnly: boolean) => ({ Type: 'bind', Source, Target, ReadOnly })
  const [shell = '', ...argv] = runnerCommand(input.node, INSIDE.runner, `${INSIDE.run}/token`)
  const shown = new Set([...(input.node === parts.hostNode ? [parts.hostNode] : []), ...parts.readOnly])
  const body = walls({ ...input, tmpfs: { [INSIDE.tmp]: tmpfsOf(limits, TMP_SHARE) } }, [
    mount(parts.workTree, INSIDE.work, false),
    mount(parts.home, INSIDE.home, false),
    mount(parts.spool, INSIDE.spool, false),
    mount(parts.run, INSIDE.run, true),
    mount(`${parts.run}/passwd`, '/etc/passwd', true),
    mount(parts.runnerFile, INSIDE.runner, true),
    ...[...shown].map(path => mount(path, path, true)),
  ]) as { HostConfig: { SecurityOpt: string[] } }
  return {
    ...body,
    Entrypoint: [shell],
    Cmd: argv,
    User: `${user.uid}:${user.gid}`,
    Env: [`HOME=${INSIDE.home}`],
    HostConfig: {
      ...body.HostConfig,
      SecurityOpt: [...body.HostConfig.SecurityOpt, ...(input.seccomp === null ? [] : [`seccomp=${input.seccomp}`])],
      ...(input.rootless ? { UsernsMode: 'keep-id' } : {}),
    },
  }
}
