import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createLogs, type Logs } from '#server/logs/index.ts'
import { defineBench, type SideContext } from './bench.ts'
import { estimateMedian } from './statistics.ts'
import { LOG_ID, openLog, rawPair, received, sendBounded, streamClient, subscribe } from './stream-node.ts'
import { spin } from './workload.ts'

const MIB = 1024 * 1024
const FILE_BYTES = 128 * MIB
const FRAME_BYTES = 64 * 1024
const LINE = Buffer.from(`${'x'.repeat(99)}\n`)
const LINES = 300_000
const SAMPLES = 300
const HELD_BYTES = 64 * MIB

/** Rate of the second run: the first warms up. */
async function secondRate(bytes: number, run: (index: number) => Promise<void>): Promise<number> {
  await run(1)
  const begun = performance.now()
  await run(2)
  return bytes / MIB / ((performance.now() - begun) / 1000)
}

/** The logs, each read slowed from outside. */
const slowed = (logs: Logs, microseconds: number): Logs => ({
  ...logs,
  reader(id) {
    const reader = logs.reader(id)
    return {
      ...reader,
      read(...query) {
        spin(microseconds)
        return reader.read(...query)
      },
    }
  },
})

async function writeFixture(fixture: string): Promise<void> {
  const { writer } = await openLog(fixture)
  const piece = Buffer.alloc(MIB, LINE)
  for (let done = 0; done < FILE_BYTES; done += MIB) await writer.write(piece)
  await writer.close()
}

async function backfill({ fixture, defer }: SideContext, slowdown = 0): Promise<number> {
  const logs = createLogs({ directory: join(fixture, 'logs') })
  const client = await streamClient(slowdown ? slowed(logs, slowdown) : logs, defer)
  return secondRate(FILE_BYTES, async index => {
    subscribe(client, index)
    await received(client, index, FILE_BYTES)
  })
}

async function rawPush({ fixture, defer }: SideContext): Promise<number> {
  const { client, peer } = await rawPair(defer)
  const file = join(fixture, 'logs', LOG_ID.slice(-2), `${LOG_ID}.log`)
  return secondRate(FILE_BYTES, async () => {
    let left = FILE_BYTES
    const arrived = new Promise<void>(resolve => {
      const count = (data: Buffer) => {
        left -= data.byteLength
        if (left > 0) return
        client.off('message', count)
        resolve()
      }
      client.on('message', count)
    })
    for await (const piece of createReadStream(file, { highWaterMark: FRAME_BYTES })) await sendBounded(peer, piece)
    await arrived
  })
}

async function liveLines({ directory, defer }: SideContext, slowdown = 0): Promise<number> {
  const { logs, writer } = await openLog(directory)
  defer(() => writer.close())
  const client = await streamClient(logs, defer)
  const bytes = LINES * LINE.byteLength
  return secondRate(bytes, async index => {
    subscribe(client, index, writer.offset)
    await once(client, 'message')
    const arrived = received(client, index, bytes)
    for (let line = 0; line < LINES; line++) {
      if (slowdown) spin(slowdown)
      await writer.write(LINE)
    }
    await arrived
    client.send(JSON.stringify({ type: 'unsubscribe', subscription: index }))
  })
}

async function messageALine({ defer }: SideContext): Promise<number> {
  const { client, peer } = await rawPair(defer)
  const text = LINE.toString()
  return secondRate(LINES * LINE.byteLength, async () => {
    let left = LINES
    const arrived = new Promise<void>(resolve => {
      const count = (data: Buffer) => {
        const { payload } = JSON.parse(String(data)) as { payload: { line: string } }
        if (payload.line.length === LINE.byteLength) left -= 1
        if (left > 0) return
        client.off('message', count)
        resolve()
      }
      client.on('message', count)
    })
    for (let line = 0; line < LINES; line++) {
      const message = { type: 'log', ts: new Date().toISOString(), cursor: line, payload: { jobId: LOG_ID, line: text } }
      await sendBounded(peer, JSON.stringify(message))
    }
    await arrived
  })
}

/** p50 in ms of what `send` starts and a message to the client ends. */
async function latency(client: Awaited<ReturnType<typeof streamClient>>, send: () => void): Promise<number> {
  const samples: number[] = []
  for (let index = 0; index < SAMPLES; index++) {
    await pause(1)
    const arrived = once(client, 'message')
    const begun = performance.now()
    send()
    await arrived
    samples.push(performance.now() - begun)
  }
  return estimateMedian(samples).median
}

async function writeToCallback({ directory, defer }: SideContext, slowdown = 0): Promise<number> {
  const { logs, writer } = await openLog(directory)
  defer(() => writer.close())
  const client = await streamClient(slowdown ? slowed(logs, slowdown) : logs, defer)
  subscribe(client, 1)
  await once(client, 'message')
  return latency(client, () => void writer.write(LINE))
}

async function echo({ defer }: SideContext): Promise<number> {
  const { client, peer } = await rawPair(defer)
  peer.on('message', data => peer.send(data))
  return latency(client, () => client.send(LINE))
}

/**
 * Most MiB resident while a log is written, with so many readers that stopped reading. The most and not the last: what the
 * allocator gives back in the end depends on where in its heap a single buffer lies.
 */
async function resident({ directory, defer }: SideContext, readers: number, hold = false): Promise<number> {
  const { logs, writer } = await openLog(directory)
  defer(() => writer.close())
  const held: Uint8Array[] = []
  defer(() => void held.splice(0))
  const client = await streamClient(logs, defer)
  if (readers > 0) {
    subscribe(client, 1)
    await once(client, 'message')
  }
  client.pause()
  const piece = Buffer.alloc(FRAME_BYTES, LINE)
  const reader = logs.reader(LOG_ID)
  defer(() => reader.close())
  for (let done = 0; done < HELD_BYTES; done += FRAME_BYTES) {
    await writer.write(piece)
    await writer.flush()
    if (hold) held.push(await reader.read(done, FRAME_BYTES))
  }
  return process.resourceUsage().maxRSS / 1024
}

export default defineBench(
  {
    name: 'log-backfill',
    unit: 'MiB/s',
    a: { what: 'a log of 128 MiB by the stream', run: context => backfill(context) },
    b: { what: 'the same file by a raw ws server, 64 KiB a frame', run: rawPush },
    planted: { what: '1 ms more a read', run: context => backfill(context, 1000) },
    prepare: writeFixture,
    bar: { atLeast: 0.8 },
    note: 'Both sides hold at most 1 MiB on its way; client and server share one process.',
  },
  {
    name: 'log-live',
    unit: 'MiB/s',
    a: {
      what: 'lines of 100 bytes: secrets struck out, written to the file, sent to the reader',
      run: context => liveLines(context),
    },
    b: { what: 'one JSON message a line over ws, kept nowhere', run: messageALine },
    planted: { what: '5 µs more a line', run: context => liveLines(context, 5) },
    bar: { atLeast: 10 },
  },
  {
    name: 'log-latency',
    unit: 'ms',
    compare: 'difference',
    a: { what: "one write to the client's callback (p50), by way of the file", run: context => writeToCallback(context) },
    b: { what: 'a ws echo (p50)', run: echo },
    planted: { what: '3 ms more a read', run: context => writeToCallback(context, 3000) },
    bar: { atMost: 2 },
  },
  {
    name: 'stalled-reader',
    unit: 'MiB',
    compare: 'difference',
    a: {
      what: 'most memory resident while 64 MiB of log are written, with one reader that stopped reading',
      run: context => resident(context, 1),
    },
    b: { what: 'the same without a reader', run: context => resident(context, 0) },
    planted: { what: 'a buffer a reader', run: context => resident(context, 1, true) },
    bar: { atMost: 16 },
  },
)
