import { randomUUID } from 'node:crypto'
import type { Limits } from '#shared/model/index.ts'
import { SandboxError } from '../index.ts'
import { createContainer, type Engine, type EngineError, Nothing, removeContainer, waitFor } from './engine.ts'
import type { Image } from './image.ts'
import { walls } from './place.ts'

/** What was found in an image by running its shell. */
export interface Suitability {
  /** The Node.js that the runner can use. */
  readonly node: string
}

const EXAMINER: Pick<Limits, 'memoryBytes' | 'processes'> = { memoryBytes: 512 * 2 ** 20, processes: 64 }
/** Instead of a Node.js of this machine, where an engine cannot show one. */
const NO_PROGRAM = '/nothing'
const EXAMINE_MS = 60_000

/** The oldest Node.js that the runner works with is 20.12. */
const OLD_ENOUGH = "const [a,b]=process.versions.node.split('.').map(Number);process.exit(a>20||a===20&&b>=12?0:1)"
const [BASE, GIT, OWN_NODE, HOST_NODE] = [64, 1, 2, 4]
/** The exit code carries the answer: there is no reading of logs that every engine does the same. */
const SCRIPT = [
  `n=${BASE}`,
  `git --version >/dev/null 2>&1 && n=$((n+${GIT}))`,
  `node -e "$1" >/dev/null 2>&1 && n=$((n+${OWN_NODE}))`,
  `"$0" -e "$1" >/dev/null 2>&1 && n=$((n+${HOST_NODE}))`,
  'exit $n',
].join('; ')
const NO_SHELL = /not found|no such file|stat \/bin\/sh|exec format|no such container process/i

/** Looks whether our runner and a job's programs can run in it. @param hostNode of this machine; null: it cannot be shown inside @throws {SandboxError} */
export async function examineImage(
  engine: Engine,
  image: Image,
  hostNode: string | null,
  labels: Record<string, string>,
): Promise<Suitability> {
  const body = {
    ...walls(
      { image, limits: EXAMINER, labels, runtime: null, tmpfs: {} },
      hostNode === null ? [] : [{ Type: 'bind', Source: hostNode, Target: hostNode, ReadOnly: true }],
    ),
    Entrypoint: ['/bin/sh', '-c', SCRIPT, hostNode ?? NO_PROGRAM, OLD_ENOUGH],
    Cmd: [],
    User: '65534:65534',
  }
  const id = await createContainer(engine, `skein-look-${randomUUID()}`, body)
  try {
    await engine.ask(Nothing, 'POST', `/containers/${id}/start`).catch((cause: EngineError) => {
      if (!NO_SHELL.test(cause.message)) throw cause
      throw unsuitable(image, `no shell that runs: ${cause.message}`, 'Name an image with /bin/sh.', cause)
    })
    const code = await waitFor(engine, id, { timeoutMs: EXAMINE_MS })
    // What an engine says with 126 and 127 instead of refusing to start it.
    if (code === 126 || code === 127) throw unsuitable(image, 'no shell that runs', 'Name an image with /bin/sh.')
    const has = (bit: number) => code >= BASE && ((code - BASE) & bit) !== 0
    if (!has(GIT)) throw unsuitable(image, 'no Git', 'Install git in it.')
    if (has(OWN_NODE)) return { node: 'node' }
    if (hostNode === null) throw unsuitable(image, 'no Node.js of at least 20.12', 'Install Node.js in the image.')
    if (has(HOST_NODE)) return { node: hostNode }
    throw unsuitable(
      image,
      'no Node.js of at least 20.12, and that of this machine does not run in it',
      'Install Node.js in the image, or name one that runs in it by executors.container.node.',
    )
  } finally {
    await removeContainer(engine, id).catch(() => {})
  }
}

const unsuitable = ({ name }: Image, what: string, remedy: string, cause?: unknown): SandboxError =>
  new SandboxError('image_unsuitable', `The image ${name} has ${what}`, { remedy, cause })
