import { readdir, statfs } from 'node:fs/promises'
import { availableParallelism, loadavg, totalmem } from 'node:os'
import type { Handlers } from '#server/lib/call.ts'
import { VERSION } from '#server/lib/version.ts'
import type { ModelOffers, Models } from '#server/models/index.ts'
import type { Capacity, ExecutorCapacity, ExecutorKind } from '#shared/model/index.ts'

/** Free bytes for this user on the file system of a directory. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** Graphics processors that compute: what the NVIDIA driver lists, else the render nodes of the kernel. */
async function countGpus(): Promise<number> {
  const nvidia = await readdir('/proc/driver/nvidia/gpus').catch(() => [])
  if (nvidia.length > 0) return nvidia.length
  const nodes = await readdir('/dev/dri').catch(() => [])
  return nodes.filter(name => name.startsWith('renderD')).length
}

/** What the machine can give. */
export function createCapacity(dataDir: string, labels: Readonly<Record<string, string>>): () => Promise<Capacity> {
  return async () => {
    const [storageBytes, gpuCount] = await Promise.all([freeBytes(dataDir), countGpus()])
    return { cpuCores: availableParallelism(), memoryBytes: totalmem(), storageBytes, gpuCount, labels: { ...labels } }
  }
}

/** Programs that want to run, a core, over the last minute; 0 on Windows, which does not count them. */
export function loadPerCore(): number {
  const [lastMinute = 0] = loadavg()
  return lastMinute / availableParallelism()
}

/** The operations the node answers for itself and for its models. */
export type NodeHandlers = Pick<
  Handlers,
  'health' | 'metrics' | 'listModels' | 'chat' | 'embed' | 'getModelQuestion' | 'answerModelQuestion'
>

export function createNodeHandlers(input: {
  name: string
  capacity: () => Promise<Capacity>
  /** What executors said last that they can give; waits for none. */
  executorRoom: () => readonly { readonly kind: ExecutorKind; readonly capacity: ExecutorCapacity }[]
  metrics: () => Promise<string>
  models: Models
  modelOffers: ModelOffers
}): NodeHandlers {
  const { name, capacity, executorRoom, metrics, models, modelOffers } = input
  // A caller with the node's own token is the owner: usage is counted per job only.
  const uncounted = () => {}
  return {
    async health() {
      const executors = executorRoom().map(({ kind, capacity: { cpuCores, memoryBytes, gpuCount, places } }) => {
        return { kind, cpuCores, memoryBytes, gpuCount, places }
      })
      return { status: 200, body: { ok: true, version: VERSION, node: name, capacity: await capacity(), executors } }
    },
    async metrics() {
      return { body: new TextEncoder().encode(await metrics()) }
    },
    async listModels(_, { signal }) {
      const found = await models.list(signal)
      return { status: 200, body: { object: 'list', data: [...found.models] } }
    },
    chat: ({ body }, { signal }) => models.chat(body, { signal, used: uncounted }),
    embed: ({ body }, { signal }) => models.embed(body, { signal, used: uncounted }),
    getModelQuestion: async ({ params }) => ({ status: 200, body: modelOffers.get(params.id) }),
    answerModelQuestion: async ({ params, body }) => ({ status: 200, body: await modelOffers.answer(params.id, body) }),
  }
}
