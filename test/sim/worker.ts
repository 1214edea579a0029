import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { Planted } from './planted.ts'
import { shrink } from './shrink.ts'
import type { Outcome } from './simulate.ts'

/** What a worker is made with. */
export interface WorkerData {
  /** A fault to plant in the sources before they are read; null for the product as it is. */
  readonly planted: Planted | null
}

/** What it is asked: a run, and whether a schedule that breaks something is to be made smaller. */
export interface Question {
  readonly seed: number
  readonly isShrunk: boolean
}

export type Answer =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** The run itself failed, or never ended. */
  | { readonly kind: 'error'; readonly message: string }
  /** The fault could not be planted. */
  | { readonly kind: 'unfit'; readonly message: string }

const { planted } = workerData as WorkerData

/** Gives patched sources instead of those on disk. @throws {Error} when the fault does not fit the sources any more */
function plant({ edits }: Planted): void {
  const patched = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const url = new URL(`../../${file}`, import.meta.url).href
    const parts = (patched.get(url) ?? readFileSync(fileURLToPath(url), 'utf8')).split(find)
    if (parts.length !== 2)
      throw new Error(`${file} has ${parts.length - 1} places that read ${JSON.stringify(find)} instead of one`)
    patched.set(url, parts.join(replace))
  }
  registerHooks({
    load(url, context, next) {
      const source = patched.get(url)
      return source === undefined ? next(url, context) : { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}

const messageOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

async function answer({ seed, isShrunk }: Question): Promise<Answer> {
  const simulation = await import('./simulate.ts').catch(
    (error: unknown): Answer => ({ kind: 'unfit', message: messageOf(error) }),
  )
  if ('kind' in simulation) return simulation
  const { simulate } = simulation
  try {
    const outcome = await simulate(seed)
    if (!isShrunk || outcome.violations.length === 0) return { kind: 'outcome', outcome }
    const faults = await shrink(outcome.faults, async part => (await simulate(seed, { faults: part })).violations.length > 0)
    return { kind: 'outcome', outcome: { ...outcome, faults } }
  } catch (error) {
    return { kind: 'error', message: messageOf(error) }
  }
}

let failure: string | null = null
try {
  if (planted) plant(planted)
} catch (error) {
  failure = messageOf(error)
}
parentPort?.on('message', (question: Question) => {
  if (failure !== null) parentPort?.postMessage({ kind: 'unfit', message: failure } satisfies Answer)
  else void answer(question).then(given => parentPort?.postMessage(given))
})
