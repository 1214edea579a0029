import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as z from 'zod'
import { writeWhole } from '#server/lib/write-whole.ts'
import { type Engine, EngineError, Nothing } from './engine.ts'
import type { Image } from './image.ts'

/** What this node pulled: by name, because the same image may have other names that others gave it. */
const Pulled = z.record(z.string(), z.strictObject({ id: z.string(), bytes: z.number(), usedAt: z.number() }))
type Pulled = z.infer<typeof Pulled>

/** Images that this node pulled, kept within a budget. Images that were there without it are nobody's business here. */
export interface PulledImages {
  /** Until `release` it is not removed; said before it is looked for. */
  hold(name: string): void
  release(name: string): void
  /** It is used now; one that was pulled for that is remembered. @throws {Error} when that cannot be written down */
  used(image: Image): Promise<void>
  /** Removes the longest unused that are above the budget and that no container has. @throws {Error} */
  tidy(engine: Engine): Promise<void>
}

/** @param file where they are remembered; what cannot be read there is forgotten, and stays with the engine */
export function createPulledImages(deps: { file: string; mostBytes: number; now: () => number }): PulledImages {
  const { file, mostBytes, now } = deps
  const inUse = new Map<string, number>()
  let known: Pulled | null = null
  let turn: Promise<unknown> = Promise.resolve()

  const load = async (): Promise<Pulled> => {
    try {
      return Pulled.parse(JSON.parse(await readFile(file, 'utf8')))
    } catch {
      return {}
    }
  }
  const save = async (pulled: Pulled) => {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeWhole(file, JSON.stringify(pulled))
  }
  /** One after the other: each starts from what the one before left. */
  const change = <T>(work: (pulled: Pulled) => Promise<T>): Promise<T> => {
    const done = turn.then(async () => {
      known ??= await load()
      return work(known)
    })
    turn = done.catch(() => {})
    return done
  }

  return {
    hold: name => void inUse.set(name, (inUse.get(name) ?? 0) + 1),
    release(name) {
      const left = (inUse.get(name) ?? 0) - 1
      if (left > 0) inUse.set(name, left)
      else inUse.delete(name)
    },
    used: ({ name, id, bytes, isNew }) =>
      change(async pulled => {
        if (!isNew && pulled[name] === undefined) return
        pulled[name] = { id, bytes, usedAt: now() }
        await save(pulled)
      }),
    tidy: engine =>
      change(async pulled => {
        const oldest = Object.entries(pulled).sort(([, a], [, b]) => a.usedAt - b.usedAt)
        let total = oldest.reduce((sum, [, { bytes }]) => sum + bytes, 0)
        if (total <= mostBytes) return
        for (const [name, { bytes }] of oldest) {
          if (total <= mostBytes) break
          if (inUse.has(name) || !(await removeImage(engine, name))) continue
          total -= bytes
          delete pulled[name]
        }
        await save(pulled)
      }),
  }
}

/** @returns whether it is gone; a container of anybody's keeps it. @throws {Error} */
async function removeImage(engine: Engine, name: string): Promise<boolean> {
  try {
    await engine.ask(Nothing, 'DELETE', `/images/${encodeURIComponent(name)}`)
    return true
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return error.status === 404
  }
}
