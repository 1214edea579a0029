/**
 * A node in a process of its own, built from the real parts, that kills itself with SIGKILL at a given step of its ports.
 * Arguments: data directory, number of the step to die at (0: never). Takes requests as IPC messages and answers them.
 */
import { systemClock } from '#server/lib/clock.ts'
import { type JobEvent, type JobRequest, JobSpec } from '#shared/model/index.ts'
import { interrupted, type Step } from './interrupted.ts'
import { composeJobs } from './parts.ts'

export type Request = { type: 'submit'; key: string; job: JobRequest } | { type: 'events'; id: string } | { type: 'stop' }
export type Report =
  | { type: 'ready' }
  | { type: 'accepted'; key: string; id: string }
  | { type: 'sealed'; id: string }
  | { type: 'events'; id: string; events: JobEvent[] }

const [dataDir = '', dieAt = '0'] = process.argv.slice(2)
const tell = (report: Report) => new Promise<void>(resolve => process.send?.(report, () => resolve()))

let number = 0
const step: Step = (name, when) => {
  number += 1
  if (number === Number(dieAt)) {
    // Synchronous, so that the parent knows where it happened although nothing after this line runs.
    process.stderr.write(`died ${when} ${name}\n`)
    process.kill(process.pid, 'SIGKILL')
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

const { jobs, events, store, close } = await composeJobs({
  dataDir,
  clock: systemClock,
  wrap: (port, name) => interrupted(port, name, step),
})

const never = new AbortController().signal

async function submit({ key, job }: Extract<Request, { type: 'submit' }>): Promise<void> {
  const answer = await jobs.handlers.createJob(
    { body: JobSpec.parse(job), headers: { 'idempotency-key': key } },
    { signal: never },
  )
  await tell({ type: 'accepted', key, id: answer.body.jobId })
}

async function stop(): Promise<void> {
  await close()
  process.exit(0)
}

/** Tells of every job whose last word is stored, those of earlier processes included. */
async function tellEnds(): Promise<void> {
  for await (const event of events.followAll(0, never))
    if (event.body.type === 'log.sealed') await tell({ type: 'sealed', id: event.jobId })
}

async function answer(request: Request): Promise<void> {
  switch (request.type) {
    case 'submit':
      return submit(request)
    case 'events':
      return tell({ type: 'events', id: request.id, events: await store.events(request.id, 0, 100_000) })
    case 'stop':
      return stop()
  }
}

process.on('message', (request: Request) => void answer(request))
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
await jobs.start()
await tell({ type: 'ready' })
await tellEnds()
