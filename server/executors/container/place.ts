import { readFileSync } from 'node:fs'
import type { Limits } from '#shared/model/index.ts'
import type { SandboxSpec } from '../index.ts'
import { parseHardLimits } from '../rlimits.ts'
import { runnerCommand } from '../runner/index.ts'
import type { Image, Suitability } from './image.ts'

/** Where things are inside, whatever the image. */
export const INSIDE = { work: '/work', home: '/home/skein', tmp: '/tmp', run: '/run/skein', spool: '/run/skein-spool' } as const

export const LABELS = {
  node: 'skein.node',
  sandbox: 'skein.sandbox',
  job: 'skein.job',
  epoch: 'skein.epoch',
  purpose: 'skein.purpose',
  image: 'skein.image',
  digest: 'skein.image-digest',
  isolation: 'skein.isolation',
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

export interface User {
  readonly uid: number
  readonly gid: number
}

/** Programs inside find this user by its number. */
export const passwd = ({ uid, gid }: User): string =>
  `root:x:0:0:root:/root:/bin/sh\nskein:x:${uid}:${gid}:skein:${INSIDE.home}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n`

export const labelsOf = (nodeId: string, spec: SandboxSpec, image: Image, isolation: string): Record<string, string> => ({
  [LABELS.node]: nodeId,
  [LABELS.sandbox]: spec.id,
  [LABELS.image]: image.name,
  [LABELS.isolation]: isolation,
  ...(image.digest ? { [LABELS.digest]: image.digest } : {}),
  ...(spec.job ? { [LABELS.job]: spec.job.id, [LABELS.epoch]: String(spec.job.epoch), [LABELS.purpose]: spec.job.purpose } : {}),
})

const OPEN_FILES = 65_536
const PROCESSES = 4096

/** Said here, because an engine's own default may be more than a server of this machine can give. */
export function ulimits(): object[] {
  const { nofile, nproc } = parseHardLimits(process.platform === 'linux' ? readFileSync('/proc/self/limits', 'latin1') : '')
  const limit = (Name: string, value: number) => ({ Name, Soft: value, Hard: value })
  // How many processes there are is limited for the container as a whole.
  return [limit('core', 0), limit('nofile', Math.min(OPEN_FILES, nofile)), limit('nproc', Math.min(PROCESSES, nproc))]
}

const SYSTEM_RUN_BYTES = 256 * 2 ** 20

/** What the engine is asked to make: all walls there are, and nothing of the machine but the parts. */
export function containerBody(input: {
  image: Image
  suitable: Suitability
  parts: PlaceParts
  user: User
  keepId: boolean
  limits: Limits
  labels: Record<string, string>
  runtime: string | null
}): object {
  const { image, suitable, parts, user, limits } = input
  const mount = (Source: string, Target: string, ReadOnly: boolean) => ({ Type: 'bind', Source, Target, ReadOnly })
  const [shell = '', ...argv] = runnerCommand(suitable.node, `${INSIDE.run}-runner.mjs`, `${INSIDE.run}/token`)
  return {
    Image: image.id,
    Entrypoint: [shell],
    Cmd: argv,
    User: `${user.uid}:${user.gid}`,
    WorkingDir: '/',
    Env: [`PATH=${image.path}`, `HOME=${INSIDE.home}`],
    Labels: input.labels,
    StopSignal: 'SIGKILL',
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      // The shell, and the runner with its threads, are not the job's.
      PidsLimit: limits.processes + 32,
      Ulimits: ulimits(),
      // Programs are built and run there.
      Tmpfs: {
        [INSIDE.tmp]: `rw,exec,nosuid,nodev,mode=1777,size=${Math.max(SYSTEM_RUN_BYTES, Math.floor(limits.memoryBytes / 2))}`,
      },
      Mounts: [
        mount(parts.workTree, INSIDE.work, false),
        mount(parts.home, INSIDE.home, false),
        mount(parts.spool, INSIDE.spool, false),
        mount(parts.run, INSIDE.run, true),
        mount(`${parts.run}/passwd`, '/etc/passwd', true),
        mount(parts.runnerFile, `${INSIDE.run}-runner.mjs`, true),
        mount(parts.hostNode, parts.hostNode, true),
        ...parts.readOnly.filter(path => path !== parts.hostNode).map(path => mount(path, path, true)),
      ],
      ...(input.keepId ? { UsernsMode: 'keep-id' } : {}),
      ...(input.runtime ? { Runtime: input.runtime } : {}),
    },
  }
}
