import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { JobEvent, JobRequest } from '#shared/model/index.ts'
import type { Report, Request } from './node-process.ts'

/** A node in a process that may die. */
export interface FaultyNode {
  /** Fulfils with the first report that fits, or null when the process died before. */
  wait<T extends Report['type']>(
    type: T,
    fits?: (report: Extract<Report, { type: T }>) => boolean,
  ): Promise<Extract<Report, { type: T }> | null>
  submit(key: string, job: JobRequest): void
  /** Where it died, as it said itself. */
  readonly lastWords: () => string
  /** All events of a job. */
  events(id: string): Promise<readonly JobEvent[]>
  stop(): Promise<void>
  kill(): Promise<void>
}

const program = fileURLToPath(new URL('node-process.ts', import.meta.url))

export function startNode(dataDir: string, dieAt: number): FaultyNode {
  const child: ChildProcess = fork(program, [dataDir, String(dieAt)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Sockets and the like beside the data, so that nothing of a killed node outlives its test.
    env: { ...process.env, TMPDIR: dirname(dataDir) },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const reports: Report[] = []
  const listeners = new Set<() => void>()
  let words = ''
  let dead = false
  const notify = () => {
    for (const listener of listeners) listener()
  }
  child.stderr?.setEncoding('utf8').on('data', chunk => {
    words += chunk
  })
  child.on('message', report => {
    reports.push(report as Report)
    notify()
  })
  const exited = once(child, 'close').then(() => {
    dead = true
    notify()
  })
  const send = (request: Request) => {
    // It may be dead already; then there is nobody to tell.
    if (child.connected) child.send(request, () => {})
  }

  const wait: FaultyNode['wait'] = (type, fits = () => true) =>
    new Promise(resolve => {
      const look = () => {
        const found = reports.find(report => report.type === type && fits(report as never))
        if (!found && !dead) return
        listeners.delete(look)
        resolve((found as never) ?? null)
      }
      listeners.add(look)
      look()
    })

  return {
    wait,
    submit: (key, job) => send({ type: 'submit', key, job }),
    async events(id) {
      send({ type: 'events', id })
      return (await wait('events', report => report.id === id))?.events ?? []
    },
    lastWords: () => words.trim(),
    async stop() {
      send({ type: 'stop' })
      await exited
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** A real repository with one commit, one changed and one untracked file. */
export function makeRepository(): { root: string; repository: string; dataDir: string } {
  const root = mkdtempSync(join(tmpdir(), 'skein-faults-'))
  const repository = join(root, 'repo')
  mkdirSync(repository)
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=T', '-c', 'user.email=t@example.invalid', ...args])
  git('init', '--quiet', '--initial-branch=main')
  writeFileSync(join(repository, 'a.txt'), 'one\n')
  git('add', '--all')
  git('commit', '--quiet', '--message=one')
  writeFileSync(join(repository, 'a.txt'), 'two\n')
  writeFileSync(join(repository, 'b.txt'), 'new\n')
  return { root, repository, dataDir: join(root, 'data') }
}

/** Processes of this machine whose environment or arguments name a directory: what a node left behind. */
export function processesNaming(directory: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(pid => {
      try {
        return ['environ', 'cmdline'].some(file => readFileSync(`/proc/${pid}/${file}`).includes(directory))
      } catch {
        return false
      }
    })
    .map(Number)
}
