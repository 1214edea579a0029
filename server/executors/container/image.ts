import * as z from 'zod'
import { messageOf } from '#server/lib/message-of.ts'
import { type ImagePull, type UsedImage, withTag } from '#shared/model/index.ts'
import { SandboxError } from '../index.ts'
import { type Engine, EngineError } from './engine.ts'
import { pullProgress } from './pull-progress.ts'

export interface Image {
  readonly name: string
  readonly id: string
  /** `sha256:…` as the registry knows it; null for one that was made here. */
  readonly digest: string | null
  /** Directories that a container would get a volume for. */
  readonly volumes: readonly string[]
  readonly bytes: number
  /** It was not there before it was asked for. */
  readonly isNew: boolean
}

const Inspected = z.object({
  Id: z.string(),
  Os: z.string(),
  Architecture: z.string(),
  RepoDigests: z.array(z.string()).nullish(),
  Size: z.number().min(0).nullish(),
  Config: z.object({ Volumes: z.record(z.string(), z.unknown()).nullish() }).nullish(),
})
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64' }

interface Making {
  readonly note?: ((text: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Sees to it that the image is there, and that this machine can run it. @throws {SandboxError} */
export async function haveImage(engine: Engine, name: string, policy: ImagePull, making: Making): Promise<Image> {
  const before = await inspect(engine, name)
  let found = before
  if (policy === 'always' || (!found && policy === 'missing')) {
    await pull(engine, name, making)
    found = await inspect(engine, name)
  }
  if (!found) {
    throw new SandboxError('image_unavailable', `There is no image ${name} on this machine, and none is pulled here`, {
      remedy: 'Load it, or set executors.container.pull to missing.',
    })
  }
  const { Id, Os, Architecture, RepoDigests, Config, Size } = found
  const ours = ARCHITECTURES[process.arch] ?? process.arch
  if (Os !== 'linux' || Architecture !== ours) {
    throw new SandboxError('image_unsuitable', `The image ${name} is for ${Os}/${Architecture}, this machine runs linux/${ours}`)
  }
  return {
    name,
    id: Id,
    digest: digestOf(name, RepoDigests ?? []),
    volumes: Object.keys(Config?.Volumes ?? {}),
    bytes: Size ?? 0,
    isNew: Id !== before?.Id,
  }
}

/** Several registries may know an image, each by a digest of its own. */
function digestOf(name: string, digests: readonly string[]): string | null {
  const repository = name.replace(/@.*$/, '').replace(/:[^:/]+$/, '')
  const known = digests.map(text => text.split('@') as [string, string?])
  const [, digest] = known.find(([at]) => at === repository || at.endsWith(`/${repository}`)) ?? known[0] ?? []
  return digest ?? null
}

/** For the record of an attempt. An engine may leave out how the number of an image was counted. */
export const usedImage = ({ name, digest, id }: Image): UsedImage => ({
  name,
  digest: digest ?? (id.includes(':') ? id : `sha256:${id}`),
})

async function inspect(engine: Engine, name: string): Promise<z.infer<typeof Inspected> | null> {
  try {
    return await engine.ask(Inspected, 'GET', `/images/${encodeURIComponent(name)}/json`)
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return null
    throw error
  }
}

const Listed = z.array(z.object({ RepoTags: z.array(z.string()).nullish(), RepoDigests: z.array(z.string()).nullish() }))
const MOST_NAMES = 1000
const LONGEST_NAME = 512

/** All names of images that need not be pulled. @throws {Error} */
export async function listImages(engine: Engine): Promise<string[]> {
  const images = await engine.ask(Listed, 'GET', '/images/json')
  return images
    .flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])])
    .filter(name => name.length <= LONGEST_NAME && !name.includes('<none>'))
    .slice(0, MOST_NAMES)
}

async function pull(engine: Engine, name: string, { note, signal }: Making): Promise<void> {
  note?.(`Pulling the image ${name}`)
  const progress = pullProgress()
  let told: string | null = null
  try {
    // Without a tag the API would pull all there are.
    for await (const line of engine.lines('POST', `/images/create?fromImage=${encodeURIComponent(withTag(name))}`, signal)) {
      const text = progress(line)
      if (text !== null && text !== told) note?.(`Pulling the image ${name}: ${text}`)
      told = text
    }
  } catch (cause) {
    signal?.throwIfAborted()
    throw new SandboxError('image_unavailable', `The image ${name} cannot be pulled: ${messageOf(cause)}`, {
      cause,
      remedy: 'See that the name is right, and that the engine may pull it (`docker login`).',
    })
  }
}
