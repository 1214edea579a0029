import * as z from 'zod'
import { SandboxError } from '../index.ts'
import { type Engine, EngineError, Nothing } from './engine.ts'
import { ulimits } from './place.ts'

export type PullPolicy = 'missing' | 'always' | 'never'

export interface Image {
  readonly name: string
  readonly id: string
  /** `sha256:…` as the registry knows it; null for one that was made here. */
  readonly digest: string | null
  readonly path: string
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const NAME = new RegExp(
  `^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\\d{1,5})?/)?${COMPONENT}(?:/${COMPONENT})*(?::\\w[\\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
)
const NAME_CHARACTERS = 512
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** @throws {SandboxError} for what is no name of an image */
export function requireImageName(name: string): void {
  if (name.length <= NAME_CHARACTERS && NAME.test(name)) return
  throw new SandboxError('image_unavailable', `Not a name of an image: ${JSON.stringify(name.slice(0, 200))}`)
}

const Inspected = z.object({
  Id: z.string(),
  Os: z.string(),
  Architecture: z.string(),
  RepoDigests: z.array(z.string()).nullish(),
  Config: z.object({ Env: z.array(z.string()).nullish() }).nullish(),
})
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Sees to it that the image is there. @throws {SandboxError} */
export async function haveImage(
  engine: Engine,
  name: string,
  policy: PullPolicy,
  options: { note?: ((text: string) => void) | undefined; signal?: AbortSignal | undefined },
): Promise<Image> {
  requireImageName(name)
  let found = policy === 'always' ? null : await inspect(engine, name)
  if (!found && policy !== 'never') {
    await pull(engine, name, options)
    found = await inspect(engine, name)
  }
  if (!found) {
    throw new SandboxError('image_unavailable', `There is no image ${name}, and it is not to be pulled`, {
      remedy: 'Load it, or set executors.container.pull to missing.',
    })
  }
  const { Id, Os, Architecture, RepoDigests, Config } = found
  const ours = ARCHITECTURES[process.arch] ?? process.arch
  if (Os !== 'linux' || Architecture !== ours) {
    throw new SandboxError('image_unsuitable', `The image ${name} is for ${Os}/${Architecture}, this machine runs linux/${ours}`)
  }
  const path = Config?.Env?.find(entry => entry.startsWith('PATH='))?.slice('PATH='.length)
  return { name, id: Id, digest: RepoDigests?.[0]?.split('@')[1] ?? null, path: path || USUAL_PATH }
}

async function inspect(engine: Engine, name: string): Promise<z.infer<typeof Inspected> | null> {
  try {
    return await engine.ask(Inspected, 'GET', `/images/${encodeURIComponent(name)}/json`)
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return null
    throw error
  }
}

const Progress = z.object({ id: z.string().optional(), status: z.string().optional(), error: z.string().optional() })
const DONE = new Set(['Pull complete', 'Already exists', 'Download complete'])

async function pull(
  engine: Engine,
  name: string,
  { note, signal }: { note?: ((text: string) => void) | undefined; signal?: AbortSignal | undefined },
): Promise<void> {
  note?.(`Pulling the image ${name}`)
  const layers = new Map<string, boolean>()
  // Without a tag the API would pull all there are.
  const whole = name.includes('@') || /:[^/]*$/.test(name) ? name : `${name}:latest`
  let told = ''
  try {
    for await (const line of engine.lines('POST', `/images/create?fromImage=${encodeURIComponent(whole)}`, signal)) {
      const { id, status, error } = Progress.parse(line)
      if (error) throw new Error(error)
      if (id && status) layers.set(id, DONE.has(status) || layers.get(id) === true)
      const text = `Pulling the image ${name}: ${[...layers.values()].filter(Boolean).length} of ${layers.size} layers`
      if (text !== told) note?.(text)
      told = text
    }
  } catch (cause) {
    throw new SandboxError('image_unavailable', `The image ${name} cannot be pulled: ${(cause as Error).message}`, { cause })
  }
}

/** What was found in an image by running its shell. */
export interface Suitability {
  /** The Node.js that the runner can use. */
  readonly node: string
  readonly hostNodeRuns: boolean
}

const Created = z.object({ Id: z.string() })
const Waited = z.object({ StatusCode: z.int() })
const CHECK = 'git --version >/dev/null 2>&1 && s=1 || s=0; '
// The exit code carries the answer: there is no reading of logs that every engine does the same.
const script = (own: string, host: string) =>
  `${CHECK}v='const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||a===20&&b>=12?0:1)'; ` +
  `${own} -e "$v" >/dev/null 2>&1 && n=2 || n=0; ${host} -e "$v" >/dev/null 2>&1 && h=4 || h=0; exit $((64+s+n+h))`

/** Looks whether our runner and a job's programs can run in it. @throws {SandboxError} */
export async function examineImage(
  engine: Engine,
  image: Image,
  hostNode: string,
  labels: Record<string, string>,
): Promise<Suitability> {
  const body = {
    Image: image.id,
    Entrypoint: ['/bin/sh', '-c', script('node', '"$0"'), hostNode],
    Cmd: [],
    User: '65534:65534',
    Labels: labels,
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Ulimits: ulimits(),
      Mounts: [{ Type: 'bind', Source: hostNode, Target: hostNode, ReadOnly: true }],
    },
  }
  const { Id } = await engine.ask(Created, 'POST', '/containers/create', { body })
  try {
    await engine.ask(Nothing, 'POST', `/containers/${Id}/start`).catch((cause: Error) => {
      if (!/not found|no such file|stat \/bin\/sh|exec format/i.test(cause.message)) throw cause
      throw new SandboxError('image_unsuitable', `The image ${image.name} has no shell that runs: ${(cause as Error).message}`, {
        cause,
      })
    })
    const { StatusCode } = await engine.ask(Waited, 'POST', `/containers/${Id}/wait`)
    const has = (bit: number) => StatusCode >= 64 && StatusCode < 72 && ((StatusCode - 64) & bit) !== 0
    if (!has(1))
      throw new SandboxError('image_unsuitable', `The image ${image.name} has no Git`, { remedy: 'Install it in the image.' })
    if (!has(2) && !has(4)) {
      throw new SandboxError(
        'image_unsuitable',
        `The image ${image.name} has no Node.js of at least 20.12, and that of this machine does not run in it`,
        {
          remedy: 'Install Node.js in the image, or name one that runs in it by executors.container.node.',
        },
      )
    }
    return { node: has(2) ? 'node' : hostNode, hostNodeRuns: has(4) }
  } finally {
    await engine.ask(Nothing, 'DELETE', `/containers/${Id}?force=true&v=true`).catch(() => {})
  }
}
