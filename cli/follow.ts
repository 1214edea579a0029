import type { Client } from '#shared/contract/index.ts'
import { type EventType, type Job, type JobEvent, type JobId, sanitizeLine } from '#shared/model/index.ts'
import type { Connection } from './connect.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { createLogView } from './log-view.ts'
import { createPrompt } from './permission-prompt.ts'
import { renderEvent } from './render/event.ts'
import { renderJob, whyNobody } from './render/job.ts'
import { followJob } from './stream.ts'
import type { World } from './world.ts'

const CANCEL_WINDOW_MS = 3_000
/** How long a job may look for a node before a person is told why it does not find one. */
const PATIENCE_MS = 2_000
/** Events whose text agents also write into the log, which is shown beside them. */
const SAID_IN_LOG: ReadonlySet<EventType> = new Set(['agent.message', 'agent.tool'])

/** Exit code of a job that has ended. */
function exitCodeOf(state: Job['state']): ExitCode {
  return state === 'succeeded' ? EXIT.ok : state === 'cancelled' ? EXIT.cancelled : EXIT.failed
}

/**
 * Shows a job until it ends: its log on stdout, what happens on stderr; with `json`, both as JSON lines on stdout.
 *
 * The first SIGINT detaches: the job goes on, and for three seconds a second one cancels it and waits for its end.
 * @param options.greeting said once signals are listened for, since it may tell what they do
 * @returns the exit code
 */
export async function watch(
  world: World,
  connection: Connection,
  id: JobId,
  options: { json: boolean; raw?: boolean; greeting?: string },
): Promise<ExitCode> {
  const { client } = connection
  const view = createLogView(world, { raw: options.raw === true })
  const say = async (text: string) => {
    await view.breakLine()
    await world.err.line(text)
  }
  const json = (value: unknown) => world.out.line(JSON.stringify(value))
  const prompt = createPrompt({
    world,
    say,
    answer: (requestId, optionId) => client.answerPermission({ params: { id, requestId }, body: { optionId } }),
  })
  const stop = new AbortController()
  const interruption = onInterrupt({ world, stop, say, id, cancel: () => client.cancelJob({ params: { id } }) })

  const waiting = options.json ? null : tellWhyItWaits({ client, id, say })

  const showEvent = async (event: JobEvent, checks: Job['spec']['checks']) => {
    if (event.body.type === 'job.state') waiting?.moved(event.body.to)
    if (options.json) return json({ type: 'event', event })
    const text = SAID_IN_LOG.has(event.body.type) ? null : renderEvent(event.body, checks, world.err.paint)
    if (text !== null) await say(text)
    // Who has no keyboard here may have one elsewhere.
    if (event.body.type === 'permission.requested' && !world.keyboard)
      await say(world.err.paint('dim', `  to answer: skein answer ${id} ${sanitizeLine(event.body.requestId)} OPTION`))
    prompt.see(event.body)
  }
  try {
    if (options.greeting !== undefined) await world.err.line(world.err.paint('dim', options.greeting))
    const { spec } = await client.getJob({ params: { id } })
    for await (const item of followJob({ ...connection, jobId: id, events: 0, log: 0, signal: stop.signal })) {
      if (interruption.detaching()) continue
      switch (item.type) {
        case 'event':
          await showEvent(item.event, spec.checks)
          break
        case 'log':
          if (options.json) await json({ type: 'log', offset: item.offset, base64: Buffer.from(item.bytes).toString('base64') })
          else await view.show(item.bytes)
          break
        case 'lost':
          await say(world.err.paint('yellow', `  lost the server (${item.reason}); trying again`))
          break
        case 'back':
          await say(world.err.paint('dim', '  the server is back'))
          break
      }
    }
    if (stop.signal.aborted || interruption.detaching()) return EXIT.detached
    await view.end()
    const ended = await client.getJob({ params: { id } })
    if (options.json) await json({ type: 'job', job: ended })
    else {
      const { items } = await client.listPlacements({ params: { id } })
      for (const line of renderJob(ended, items, world.err.paint)) await world.err.line(line)
    }
    return exitCodeOf(ended.state)
  } finally {
    waiting?.close()
    interruption.close()
    prompt.close()
  }
}

/** Says once an attempt why nobody takes a job, when that lasts. */
function tellWhyItWaits({ client, id, say }: { client: Client; id: JobId; say: (text: string) => Promise<void> }) {
  let timer: NodeJS.Timeout | undefined
  async function tell(): Promise<void> {
    const { items } = await client.listPlacements({ params: { id } })
    const last = items.at(-1)
    if (last?.awarded === null && timer !== undefined) await say(['  waiting:', ...whyNobody(last)].join('\n  '))
  }
  const close = () => {
    clearTimeout(timer)
    timer = undefined
  }
  return {
    moved(state: Job['state']) {
      close()
      // What cannot be asked now shows itself as a lost connection.
      if (state === 'queued' || state === 'placing') timer = setTimeout(() => void tell().catch(() => {}), PATIENCE_MS)
    },
    close,
  }
}

/** Detach on the first signal, cancel on the second; see `watch`. */
function onInterrupt(input: {
  world: World
  stop: AbortController
  say: (text: string) => Promise<void>
  id: JobId
  cancel: () => Promise<unknown>
}): { detaching(): boolean; close(): void } {
  const { world, stop, say, id, cancel } = input
  let signals = 0
  let leaving: NodeJS.Timeout | undefined
  const off = world.onSignal(signal => {
    signals++
    // What may fail here fails because the terminal or the server is gone, and then there is nobody to tell.
    const ignore = () => {}
    if (signal === 'SIGTERM' || signals > 2) return stop.abort()
    if (signals === 1) {
      leaving = setTimeout(() => stop.abort(), CANCEL_WINDOW_MS)
      void say(`\nDetached; the job goes on. Come back with \`skein logs -f ${id}\`. Press Ctrl-C again now to cancel it.`).catch(
        ignore,
      )
    } else {
      clearTimeout(leaving)
      leaving = undefined
      void say('Cancelling; waiting for it to end.').catch(ignore)
      void cancel().catch(() => stop.abort())
    }
  })
  return {
    detaching: () => leaving !== undefined,
    close: () => {
      clearTimeout(leaving)
      off()
    },
  }
}
