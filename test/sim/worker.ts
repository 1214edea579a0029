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
  | { readonly kind: 'error'; readonly message: string }

const { planted } = workerData as WorkerData

/** Gives the patched source of one module instead of its own. @throws {Error} when the fault does not fit the sources any more */
function plant({ file, find, replace }: Planted): void {
  const url = new URL(`../../${file}`, import.meta.url).href
  const source = readFileSync(fileURLToPath(url), 'utf8')
  const parts = source.split(find)
  if (parts.length !== 2)
    throw new Error(`${file} has ${parts.length - 1} places that read ${JSON.stringify(find)} instead of one`)
  registerHooks({
    load: (loaded, context, next) =>
      loaded === url ? { format: 'module-typescript', source: parts.join(replace), shortCircuit: true } : next(loaded, context),
  })
}

async function answer({ seed, isShrunk }: Question): Promise<Answer> {
  try {
    const { simulate } = await import('./simulate.ts')
    const outcome = await simulate(seed)
    if (!isShrunk || outcome.violations.length === 0) return { kind: 'outcome', outcome }
    const faults = await shrink(outcome.faults, async part => (await simulate(seed, { faults: part })).violations.length > 0)
    return { kind: 'outcome', outcome: { ...outcome, faults } }
  } catch (error) {
    return { kind: 'error', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

let failure: string | null = null
try {
  if (planted) plant(planted)
} catch (error) {
  failure = error instanceof Error ? error.message : String(error)
}
parentPort?.on('message', (question: Question) => {
  if (failure !== null) parentPort?.postMessage({ kind: 'error', message: failure } satisfies Answer)
  else void answer(question).then(given => parentPort?.postMessage(given))
})
