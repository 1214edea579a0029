import { type Job, type JobEvent, type JobId, sanitizeLine } from '#shared/model/index.ts'
import { type Connection, type ConnectionOptions, connect } from '../connect.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { resolveJobId } from '../job-id.ts'
import { createLogView } from '../log-view.ts'
import { renderEvent } from '../render/event.ts'
import { followJob } from '../stream.ts'
import { truncate } from '../width.ts'
import type { World } from '../world.ts'

export interface LogsOptions extends ConnectionOptions {
  readonly follow?: boolean
  readonly offset: number
  readonly raw?: boolean
  readonly json?: boolean
}

const CHUNK_BYTES = 1024 * 1024

/** Shows the log of a job from an offset, and with `follow` what comes after, to the end of the job. */
export async function logs(world: World, given: string, options: LogsOptions): Promise<ExitCode> {
  const connection = await connect(world, options)
  const id = await resolveJobId(connection.client, given)
  const view = createLogView(world, { raw: options.raw === true })
  const show = (offset: number, bytes: Uint8Array) =>
    options.json
      ? world.out.line(JSON.stringify({ type: 'log', offset, base64: Buffer.from(bytes).toString('base64') }))
      : view.show(bytes)
  const stop = new AbortController()
  const off = world.onSignal(() => stop.abort())
  try {
    const chunks = options.follow
      ? followLog(world, connection, id, options.offset, stop.signal)
      : readLog(connection, id, options.offset)
    for await (const { offset, bytes } of chunks) {
      if (stop.signal.aborted) break
      await show(offset, bytes)
    }
  } finally {
    off()
  }
  if (!options.json) await view.end()
  return stop.signal.aborted ? EXIT.cancelled : EXIT.ok
}

interface Chunk {
  readonly offset: number
  readonly bytes: Uint8Array
}

async function* readLog({ client }: Connection, id: JobId, from: number): AsyncGenerator<Chunk> {
  for (let offset = from; ; ) {
    const answer = await client.readLog({ params: { id }, query: { offset, limit: CHUNK_BYTES } })
    const bytes = new Uint8Array(await answer.arrayBuffer())
    if (bytes.length === 0) return
    yield { offset, bytes }
    offset += bytes.length
  }
}

async function* followLog(
  world: World,
  connection: Connection,
  id: JobId,
  log: number,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  for await (const item of followJob({ ...connection, jobId: id, log, signal })) {
    if (item.type === 'log') yield item
    else if (item.type === 'lost')
      await world.err.line(world.err.paint('yellow', `lost the server (${item.reason}); trying again`))
  }
}

export interface EventsOptions extends ConnectionOptions {
  readonly follow?: boolean
  readonly json?: boolean
}

/** Lists the events of a job, and with `follow` those to come. */
export async function events(world: World, given: string, options: EventsOptions): Promise<ExitCode> {
  const connection = await connect(world, options)
  const { client } = connection
  const id = await resolveJobId(client, given)
  const { spec } = await client.getJob({ params: { id } })
  const stop = new AbortController()
  const off = world.onSignal(() => stop.abort())
  const items = options.follow ? followEvents(connection, id, stop.signal) : readEvents(connection, id)
  const all = []
  try {
    for await (const event of items) {
      if (options.json && !options.follow) all.push(event)
      else if (options.json) await world.out.line(JSON.stringify(event))
      else {
        await world.out.line(renderLine(event, spec.checks, world.out))
      }
    }
  } finally {
    off()
  }
  if (options.json && !options.follow) await world.out.line(JSON.stringify({ items: all }))
  return stop.signal.aborted ? EXIT.cancelled : EXIT.ok
}

/** One event as one line: what a follower would be told, or else its fields. */
function renderLine({ at, n, body }: JobEvent, checks: Job['spec']['checks'], { columns, paint }: World['out']): string {
  const { type, ...fields } = body
  const text = renderEvent(body, checks, paint)
    ?.trim()
    .replaceAll(/\s*\n\s*/g, ' ')
  const start = `${at.slice(11, 23)} ${String(n).padStart(4)} ${type.padEnd(20)} `
  return paint('dim', start) + (text ?? truncate(sanitizeLine(JSON.stringify(fields)), columns - start.length))
}

async function* readEvents({ client }: Connection, id: JobId) {
  for (let after = 0; ; ) {
    const page = await client.listEvents({ params: { id }, query: { after, limit: 1000 } })
    yield* page.items
    const last = page.items.at(-1)
    if (!last || page.nextCursor === null) return
    after = last.n
  }
}

async function* followEvents(connection: Connection, id: JobId, signal: AbortSignal) {
  for await (const item of followJob({ ...connection, jobId: id, events: 0, signal })) if (item.type === 'event') yield item.event
}
