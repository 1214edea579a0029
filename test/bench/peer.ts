import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The part of the npm package plainjob that is measured. */
interface PlainJob {
  better(database: object): object
  defineQueue(options: { connection: object; logger: object }): {
    add(type: string, data: unknown): { id: number }
    close(): void
  }
  defineWorker(
    type: string,
    processor: () => void,
    options: { queue: object; logger: object; pollIntervall: number; onProcessing?: () => void; onCompleted?: () => void },
  ): { start(): Promise<void>; stop(): Promise<void> }
}
interface Database {
  transaction(work: () => void): () => void
  close(): void
}

const folder = fileURLToPath(new URL('peer/', import.meta.url))
const silent = { error() {}, warn() {}, info() {}, debug() {} }

/** Opens a queue of plainjob as its documentation says (WAL, synchronous=NORMAL); installs the package when it is absent. */
export async function openPlainJob(directory: string) {
  if (!existsSync(join(folder, 'node_modules'))) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder], { stdio: ['ignore', 2, 2] })
  }
  const require = createRequire(join(folder, 'package.json'))
  const { better, defineQueue, defineWorker } = (await import(
    pathToFileURL(join(folder, 'node_modules/plainjob/dist/plainjob.js')).href
  )) as PlainJob
  const Sqlite = require('better-sqlite3') as new (file: string) => Database
  const database = new Sqlite(join(directory, 'plainjob.db'))
  const queue = defineQueue({ connection: better(database), logger: silent })
  return {
    /** Adds many jobs at once. */
    fill: (jobs: number, data: unknown) => {
      database.transaction(() => {
        for (let index = 0; index < jobs; index++) queue.add('bench', data)
      })()
    },
    add: (data: unknown) => queue.add('bench', data),
    worker: (pollMs: number, listeners: { onProcessing?: () => void; onCompleted?: () => void }) =>
      defineWorker('bench', () => {}, { queue, logger: silent, pollIntervall: pollMs, ...listeners }),
    close: () => {
      queue.close()
      database.close()
    },
  }
}
