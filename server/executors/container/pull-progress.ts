import * as z from 'zod'
import { formatBytes } from '#server/lib/units.ts'

const Progress = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().min(0).optional() }).nullish(),
})

const DONE = new Set(['Pull complete', 'Already exists', 'Download complete'])
/** The bytes that are counted while a layer is unpacked are the same ones again. */
const COMING = 'Downloading'
/** Docker names the tag as it names layers. */
const NO_LAYER = /^Pulling from /
/** Who sends the lines may name as many as it likes. */
const MOST_LAYERS = 10_000

/** Counts what an engine tells of a pull, a line at a time. @returns how far it is, in words; null while there is nothing to say */
export function pullProgress(): (line: unknown) => string | null {
  const layers = new Map<string, { isDone: boolean; bytes: number }>()
  return line => {
    const { id, status, error, progressDetail } = Progress.parse(line)
    if (error) throw new Error(error)
    if (id && status && !NO_LAYER.test(status) && (layers.has(id) || layers.size < MOST_LAYERS)) {
      const { isDone = false, bytes = 0 } = layers.get(id) ?? {}
      const come = status === COMING ? Math.max(bytes, progressDetail?.current ?? 0) : bytes
      layers.set(id, { isDone: isDone || DONE.has(status), bytes: come })
    }
    if (layers.size === 0) return null
    const all = [...layers.values()]
    const bytes = all.reduce((sum, layer) => sum + layer.bytes, 0)
    const done = `${all.filter(({ isDone }) => isDone).length} of ${layers.size} layers`
    return bytes === 0 ? done : `${done}, ${formatBytes(bytes)}`
  }
}
