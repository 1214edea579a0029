import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { decodeLogFrame } from '#shared/contract/index.ts'
import { defineBench, type SideContext } from './bench.ts'
import { type BenchNode, pair, startNode, streamOf } from './fleet-nodes.ts'
import { estimateMedian } from './statistics.ts'

const MIB = 1024 * 1024
const BYTES = 96 * MIB
/** Waits for a line first, so that everybody is there when it begins. */
const PRODUCER: [string, string, string] = ['sh', '-c', `sleep 1; yes ${'x'.repeat(99)} | head -c ${BYTES}`]
const AWARDS = 15
/** Fewer: soon the node is known to be dead, and not asked any more. */
const DEAD_AWARDS = 5
const PLANTED_MS = 300
const DEAD_PLANTED_MS = 1500

/** MiB/s from the first bytes that come to the last. */
function rate(socket: WebSocket, bytesOf: (data: Buffer, isBinary: boolean) => number): Promise<number> {
  let bytes = 0
  let begun = 0
  return new Promise(resolve => {
    const count = (data: Buffer, isBinary: boolean) => {
      const more = bytesOf(data, isBinary)
      // Notes of the attempt come before the program says anything.
      if (begun === 0 && more < 10_000) return
      if (begun === 0) begun = performance.now()
      bytes += more
      if (bytes < 0.99 * BYTES) return
      socket.off('message', count)
      resolve(bytes / MIB / ((performance.now() - begun) / 1000))
    }
    socket.on('message', count)
  })
}

/** From a sandbox on another node to a client of the home. */
async function throughPeer(context: SideContext, slowed = false): Promise<number> {
  const home = await startNode('home', context)
  const worker = await startNode('worker', context)
  await pair(home, worker)
  const socket = await streamOf(home, context.defer)
  const [shell, flag, program] = PRODUCER
  const slowly = `${program} | while dd bs=64k count=1 2>/dev/null | grep -a . ; do sleep 0.01; done`
  const { jobId } = await home.client.createJob({
    body: {
      agent: 'command',
      argv: [shell, flag, slowed ? slowly : program],
      where: { on: ['worker'] },
      limits: { logBytes: 2 * BYTES },
    },
  })
  const measured = rate(socket, (data, isBinary) => (isBinary ? decodeLogFrame(data).bytes.byteLength : 0))
  socket.send(JSON.stringify({ type: 'subscribe', subscription: 1, topic: { name: 'log', jobId }, cursor: 0 }))
  return measured
}

/** The same program, piped into one ws socket by a process of its own. */
async function pipedRaw({ defer }: SideContext): Promise<number> {
  const program = fileURLToPath(new URL('programs/pipe.mjs', import.meta.url))
  const sender = spawn(process.execPath, [program, ...PRODUCER], { stdio: ['ignore', 'pipe', 'ignore'] })
  defer(() => void sender.kill('SIGKILL'))
  const [address] = (await once(sender.stdout, 'data')) as [Buffer]
  const socket = new WebSocket(String(address).trim(), { perMessageDeflate: false })
  defer(() => socket.terminate())
  return rate(socket, data => data.byteLength)
}

/** ms a job looks for its node, from its claim until it is prepared there. @param meanwhile called when it was accepted */
async function awardOnce(home: BenchNode, where: object, meanwhile: () => Promise<void> = async () => {}): Promise<number> {
  const { jobId } = await home.client.createJob({ body: { agent: 'command', argv: ['true'], where } })
  await meanwhile()
  const times = await movesOf(home, jobId)
  return (times.get('preparing') ?? Number.NaN) - (times.get('placing') ?? Number.NaN)
}

/** p50 of so many. */
async function award(home: BenchNode, count: number, meanwhile?: () => Promise<void>): Promise<number> {
  const samples: number[] = []
  for (let index = 0; index < count; index++) samples.push(await awardOnce(home, {}, meanwhile))
  // The clock of events has whole milliseconds.
  return Math.max(1, estimateMedian(samples).median)
}

async function movesOf(node: BenchNode, id: string): Promise<Map<string, number>> {
  for (;;) {
    const { items } = (await (
      await fetch(`${node.url}/v1/jobs/${id}/events`, { headers: { authorization: `Bearer ${node.token}` } })
    ).json()) as { items: { at: string; body: { type: string; to?: string } }[] }
    const moves = new Map(items.flatMap(({ at, body }) => (body.type === 'job.state' ? [[body.to ?? '', Date.parse(at)]] : [])))
    if (moves.has('succeeded')) return moves
    if (moves.has('failed')) throw new Error(`Job ${id} failed`)
    await pause(20)
  }
}

async function threeNodes(context: SideContext): Promise<{ home: BenchNode; others: readonly BenchNode[] }> {
  const home = await startNode('home', context)
  const others = [await startNode('one', context), await startNode('two', context)]
  for (const other of others) await pair(home, other)
  return { home, others }
}

const alone = async (context: SideContext): Promise<number> => award(await startNode('home', context), AWARDS)

const amongThree = async (context: SideContext): Promise<number> => award((await threeNodes(context)).home, AWARDS)

/** One of the three has just stopped to answer, and its card does not tell. */
async function withOneDead(context: SideContext): Promise<number> {
  const { home, others } = await threeNodes(context)
  others[1]?.process.kill('SIGSTOP')
  return award(home, DEAD_AWARDS)
}

/** The node that gets the job answers so much later: it was stopped and goes on. */
async function withOneSlow(context: SideContext): Promise<number> {
  const { home, others } = await threeNodes(context)
  const [winner] = others
  const samples: number[] = []
  for (let index = 0; index < AWARDS; index++) {
    winner?.process.kill('SIGSTOP')
    setTimeout(() => winner?.process.kill('SIGCONT'), PLANTED_MS)
    samples.push(await awardOnce(home, { on: ['one'] }))
  }
  return estimateMedian(samples).median
}

/** The home itself does nothing for a while, just when it looks for a node. */
async function withHomeAsleep(context: SideContext): Promise<number> {
  const { home, others } = await threeNodes(context)
  others[1]?.process.kill('SIGSTOP')
  return award(home, DEAD_AWARDS, async () => {
    home.process.kill('SIGSTOP')
    await pause(DEAD_PLANTED_MS)
    home.process.kill('SIGCONT')
  })
}

export default defineBench(
  {
    name: 'log-through-peer',
    unit: 'MiB/s',
    a: {
      what: 'what a program in a sandbox of another node prints, at a client of the home',
      run: context => throughPeer(context),
    },
    b: { what: 'the same program, piped into one raw ws socket', run: pipedRaw },
    planted: { what: '10 ms more every 64 KiB in the sandbox', run: context => throughPeer(context, true) },
    bar: { atLeast: 0.5 },
    note: 'Four processes against three. A: secrets struck out, kept at the worker and at home, each in a file that is synced.',
  },
  {
    name: 'award',
    unit: 'ms',
    compare: 'difference',
    a: {
      what: 'from the claim of a job until it is prepared on the best of three nodes (p50)',
      run: context => amongThree(context),
    },
    b: { what: 'the same on a node that is alone', run: alone },
    planted: { what: `the node that gets it stopped for ${PLANTED_MS} ms`, run: withOneSlow },
    bar: { atMost: 150 },
  },
  {
    name: 'award-one-dead',
    unit: 'ms',
    compare: 'difference',
    a: { what: 'the same where one of the three has just stopped to answer (p50)', run: withOneDead },
    b: { what: 'the same on a node that is alone', run: alone },
    planted: { what: `the home stopped for ${DEAD_PLANTED_MS} ms while it looks`, run: withHomeAsleep },
    bar: { atMost: 1000 },
  },
)
