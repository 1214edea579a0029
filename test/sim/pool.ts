import { Worker } from 'node:worker_threads'
import type { Planted } from './planted.ts'
import type { Answer, Question, WorkerData } from './worker.ts'

/** A run that takes longer than this never ends, ms: its program goes in circles without time passing. */
const HANGS_MS = 120_000

/** One thread that runs simulations, one at a time. */
export interface SimulationThread {
  ask(question: Question): Promise<Answer>
  close(): Promise<void>
}

/** @param planted a fault to run with; null for the product as it is */
export function startThread(planted: Planted | null): SimulationThread {
  let worker: Worker | null = null

  function start(): Worker {
    const data: WorkerData = { planted }
    const made = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data })
    // It may fail once it has answered too, when nobody waits: what was left running there finds that the run is over.
    made.on('error', () => {
      if (worker === made) worker = null
    })
    return made
  }

  return {
    ask(question) {
      const asked = worker ?? start()
      worker = asked
      return new Promise(resolve => {
        const settle = (answer: Answer) => {
          clearTimeout(timer)
          asked.off('message', settle)
          asked.off('error', fail)
          resolve(answer)
        }
        const fail = (error: unknown) => {
          worker = null
          settle({ kind: 'error', message: String(error) })
        }
        const timer = setTimeout(() => {
          void asked.terminate()
          worker = null
          settle({ kind: 'error', message: `seed ${question.seed} goes in circles without time passing` })
        }, HANGS_MS)
        asked.on('message', settle)
        asked.on('error', fail)
        asked.postMessage(question)
      })
    },
    async close() {
      await worker?.terminate()
    },
  }
}
