import { createSecrets } from '#server/access/index.ts'
import { createEvents } from '#server/events/index.ts'
import { createJobs, type Jobs } from '#server/jobs/index.ts'
import type { Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { createJobIds } from '#server/lib/ids.ts'
import { within } from '#server/lib/within.ts'
import { createLogs } from '#server/logs/index.ts'
import type { Models } from '#server/models/index.ts'
import { clientOver } from '#server/peers/client-over.ts'
import { createFleet } from '#server/peers/fleet.ts'
import { createGossip } from '#server/peers/gossip.ts'
import type { KnownPeer } from '#server/peers/known-peers.ts'
import { createLink } from '#server/peers/link.ts'
import type { Log } from '#server/telemetry/index.ts'
import {
  AcceptPolicy,
  type Card,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type NodeId,
  PlacementWeights,
  PROTOCOL,
} from '#shared/model/index.ts'
import { memoryDrain } from '#test/fakes/drain.ts'
import { keyOf, plainSeal } from '#test/fakes/gossip.ts'
import { countingAgent, simulatedExecutor } from './agent.ts'
import { createMachineClock, type MachineClock } from './clock.ts'
import { createDisk, type Disk } from './disk.ts'
import type { Ledger } from './ledger.ts'
import type { Random } from './random.ts'
import { createServerProcess, type End, type ServerProcess } from './server-process.ts'
import { emptyTables, memoryStore, type Tables } from './store.ts'
import type { Timeline } from './timeline.ts'
import type { Endpoint, Wire } from './wire.ts'
import { emptyRepositories, type Repositories, simulatedWorkspace } from './workspace.ts'

/** What the seed says of one machine. */
export interface MachineSpec {
  readonly name: string
  readonly slots: number
  /** Attempts that may wait there for a slot. */
  readonly waiting: number
  readonly clock: { readonly rate: number; readonly offset: number }
  /** Whether it bids better than it is, and for more than it has. */
  readonly lies: boolean
}

/** What all nodes of a simulation share. */
export interface Surroundings {
  readonly timeline: Timeline
  readonly random: Random
  readonly ledger: Ledger
  readonly wire: Wire
  readonly trace: (line: string) => void
  readonly leaseMs: number
}

/** A server that runs now. */
export interface Server {
  readonly process: ServerProcess
  readonly jobs: Jobs
  readonly handlers: Jobs['handlers'] & Pick<Handlers, 'gossip'>
  readonly isReady: () => boolean
  /** Names of the nodes it would give a job to now. */
  readonly knows: () => readonly string[]
  close(): Promise<void>
}

/** A machine with a node on it: the real jobs, on a clock, disk and wire of the simulation. */
export interface SimulatedNode extends Endpoint {
  readonly spec: MachineSpec
  readonly clock: MachineClock
  readonly disk: Disk
  readonly tables: Tables
  readonly repositories: Repositories
  server(): Server | null
  /** Starts a server where none runs. */
  start(): void
  /** Ends the server at once. @param orphans whether its programs go on without it */
  crash(how: End, orphans: boolean): void
  /** Asks the server to stop, and ends it once it has. */
  stop(): Promise<void>
  pause(): void
  resume(): void
  /** Ends the server at its `writes`-th write from now, before or after it is on disk. */
  crashAtWrite(writes: number, when: 'before' | 'after', crash: () => void): void
  /** Whatever was still to go wrong with it does not. */
  recover(): void
}

const GRACE_MS = 5_000
export const BID_MS = 3_000
const ASK_MS = 5_000
const DATA = '/data'
const directories = {
  data: DATA,
  attempts: `${DATA}/attempts`,
  hosted: `${DATA}/hosted`,
  artifacts: `${DATA}/artifacts`,
  runtime: '/run',
}
export const logFileOf = (jobId: string): string => `${DATA}/logs/${jobId.slice(-2)}/${jobId}.log`
export const attemptDirectories = directories.attempts

const noModels: Models = {
  has: async () => false,
  list: async () => ({ models: [], unreachable: [] }),
  chat: async () => new Response(),
  embed: async () => new Response(),
}

export function createNode(spec: MachineSpec, around: Surroundings, peers: () => readonly SimulatedNode[]): SimulatedNode {
  const { timeline, ledger, trace } = around
  const { name } = spec
  const id: NodeId = name.repeat(26)
  const random = around.random.fork(`node ${name}`)
  const tables = emptyTables()
  const repositories = emptyRepositories()
  let server: Server | null = null
  let starts = 0
  let tokens = 0
  let bomb: { writes: number; when: 'before' | 'after'; crash: () => void } | null = null
  const clock = createMachineClock(timeline, spec.clock)

  /** Ends the server at the write it was said, if that is this one. @returns whether it lives */
  function pass(when: 'before' | 'after'): boolean {
    if (when === 'before' && bomb) bomb.writes -= 1
    if (bomb?.when !== when || bomb.writes > 0) return true
    const { crash } = bomb
    bomb = null
    crash()
    return false
  }
  const disk = createDisk({
    timeline,
    random: random.fork('disk'),
    before: (process, what) => {
      trace(`${name} ${what}`)
      return process === server?.process ? pass('before') : process.isAlive()
    },
    after: () => void pass('after'),
  })

  const fail = (what: string) => ledger.errors.push(`${name}: ${what}`)
  const log = {
    debug() {},
    info() {},
    warn: (_: object, message: string) => trace(`${name} warns: ${message}`),
    error: (fields: { err?: unknown }, message: string) =>
      fail(`${message}: ${fields.err instanceof Error ? (fields.err.stack ?? fields.err.message) : String(fields.err)}`),
  } as unknown as Log

  function clockOf(process: ServerProcess): Clock {
    return {
      now: clock.now,
      monotonic: clock.monotonic,
      after(ms, call) {
        let wanted: (() => void) | null = call
        const cancel = clock.after(ms, () => process.deliverTimer(() => wanted?.()))
        return () => {
          wanted = null
          cancel()
        }
      },
    }
  }

  function createFleetOf(process: ServerProcess, files: ReturnType<Disk['files']>, own: Clock, card: () => Promise<Card>) {
    const others = peers().filter(peer => peer.id !== id)
    const entries = others.map(
      (peer): KnownPeer => ({
        id: peer.id,
        name: peer.name,
        publicKey: keyOf(peer.id),
        address: `http://${peer.name}`,
        source: 'paired',
        runsOurs: true,
        weRunTheirs: true,
        members: [],
        addedAt: '2026-01-01T00:00:00.000Z',
      }),
    )
    const directory = {
      get: (wanted: NodeId) => entries.find(peer => peer.id === wanted) ?? null,
      list: () => entries,
      onChange: () => () => {},
    }
    const acquaintances = entries.map(peer => ({ ...peer, isTrusted: true }))
    const clientTo = (wanted: NodeId) => {
      const [peer, target] = [directory.get(wanted), others.find(node => node.id === wanted)]
      if (!peer || !target) throw new Error(`There is no node ${wanted}`)
      return clientOver(() => around.wire.carrier(node, process, target), peer, { protocolWith: async () => PROTOCOL.max })
    }
    const gossip = createGossip({
      self: { id, publicKey: () => keyOf(id) },
      known: {
        get: wanted => acquaintances.find(peer => peer.id === wanted) ?? null,
        list: () => acquaintances,
        onChange: () => () => {},
      },
      ownCard: card,
      seal: plainSeal(keyOf(id)),
      exchange: async (to, message) => {
        const ask = (signal: AbortSignal) => clientTo(to).gossip({ body: message }, { signal })
        return { kind: 'gossip', answer: await within(own, ASK_MS, null, ask) }
      },
      clock: own,
      random: random.fork(`gossip ${starts}`).next,
    })
    const fleet = createFleet({
      self: { id, name },
      directory,
      gossip,
      may: peer => peer,
      user: () => null,
      linkTo: peer => createLink(peer, clientTo(peer.id), { clock: own, files }),
    })
    return { gossip, fleet }
  }

  function createServer(): Server {
    const process = createServerProcess()
    const own = clockOf(process)
    const files = disk.files(process)
    const store = memoryStore({ tables, clock: own, commit: apply => disk.commit(process, apply) })
    const { gossip, fleet } = createFleetOf(process, files, own, () => jobs.card())
    const parts = { node: name, ledger, random: random.fork(`agent ${starts}`), clock: own, graceMs: GRACE_MS, trace }
    const endOfTurn = () => Promise.resolve()
    const bytes = (length: number) => Uint8Array.from({ length }, () => random.int(256))
    const jobs: Jobs = createJobs({
      store,
      logs: createLogs({ directory: `${DATA}/logs`, files, endOfTurn }),
      hostedLogs: createLogs({ directory: `${directories.hosted}/logs`, files, endOfTurn }),
      fleet,
      node: {
        version: '1',
        capacity: async () => ({ cpuCores: 4, memoryBytes: 0, storageBytes: 0, gpuCount: 0, labels: {} }),
        power: async () => 'mains',
        loadPerCore: () => 0,
      },
      random: random.fork(`jobs ${starts}`).next,
      events: createEvents({ store }),
      workspace: simulatedWorkspace({ repositories, files, ledger }),
      executors: [simulatedExecutor(parts)],
      agents: [countingAgent(parts)],
      models: noModels,
      sharedModels: noModels,
      gateway: { open: async () => ({ close: async () => {} }) },
      secrets: createSecrets(),
      wordingOf: async () => null,
      clock: own,
      files,
      newJobId: createJobIds(own, bytes),
      newToken: () => `${name}-${starts}-token-${++tokens}`,
      freeBytes: async () => 2 ** 40,
      directories,
      settings: {
        concurrency: spec.slots,
        allowNoSandbox: false,
        timeouts: DEFAULT_TIMEOUTS,
        limits: DEFAULT_LIMITS,
        graceMs: GRACE_MS,
        networkAllow: [],
        leaseMs: around.leaseMs,
        unackedBytes: 2 ** 24,
        bidMs: BID_MS,
        placement: PlacementWeights.parse({}),
        accept: AcceptPolicy.parse({}),
        snapshotBytes: 2 ** 30,
        resultBytes: 2 ** 30,
        models: 'prefer-worker',
        waiting: spec.waiting,
        price: null,
        storage: { budgetBytes: 2 ** 40, reserveBytes: 0, keepEndedMs: 2 ** 40, idempotencyMs: 2 ** 40 },
      },
      drainFile: memoryDrain(),
      log,
    })
    let isReady = false
    const begin = async () => {
      await files.makeDirectory(directories.attempts)
      await jobs.start()
      gossip.start()
      isReady = true
      trace(`${name} is ready`)
    }
    void begin().catch(error => fail(`could not start: ${error instanceof Error ? error.stack : error}`))
    return {
      process,
      jobs,
      handlers: {
        ...(spec.lies ? lying(jobs.handlers, random.fork('lies')) : jobs.handlers),
        async gossip({ body }, { peer }) {
          if (!peer) throw new Error('Nobody asks')
          return { status: 200, body: await gossip.answer(peer, body) }
        },
      },
      isReady: () => isReady,
      knows: () => fleet.cards().map(card => card.name),
      async close() {
        isReady = false
        gossip.stop()
        await jobs.stop()
        await store.close()
      },
    }
  }

  function programs() {
    return [...ledger.programs].filter(program => program.node === name)
  }
  function end(how: End): void {
    server?.process.end(how)
    server = null
  }

  const node: SimulatedNode = {
    spec,
    name,
    id,
    clock,
    disk,
    tables,
    repositories,
    server: () => server,
    start() {
      if (server) return
      starts += 1
      trace(`${name} starts`)
      server = createServer()
    },
    crash(how, orphans) {
      if (!server) return
      trace(`${name} crashes: ${how}`)
      end(how)
      if (how === 'power') disk.losePower(random)
      for (const program of programs()) {
        program.isSupervised = false
        // What was not yet told to work has nobody to tell it.
        if (how === 'power' || !orphans || !program.isWorking) ledger.programs.delete(program)
      }
    },
    async stop() {
      const stopping = server
      if (!stopping) return
      trace(`${name} stops`)
      await stopping.close()
      if (server === stopping) end('kill')
      trace(`${name} has stopped`)
    },
    pause() {
      server?.process.pause()
      for (const program of programs()) {
        program.isWorking = false
        program.hasSlept = true
      }
    },
    resume() {
      for (const program of programs()) program.isWorking = true
      server?.process.resume()
    },
    crashAtWrite(writes, when, crash) {
      bomb = { writes, when, crash }
    },
    recover() {
      bomb = null
      disk.slowness = 1
    },
  }
  return node
}

/** Bids as nobody is: at once, with everything there, whether there is room or not. */
function lying(handlers: Jobs['handlers'], random: Random): Jobs['handlers'] {
  return {
    ...handlers,
    async announce(input, call) {
      const honest = await handlers.announce(input, call)
      const { body } = honest
      if (body.kind === 'no') {
        const terms = { startMs: 0, runMs: { p50: 0, p90: 0 }, modelLoaded: true, repositoryCached: true, load: 0 }
        const promise = { ...terms, haves: [], executor: 'process', isolation: 'vm' as const }
        return { status: 200, body: { kind: 'bid', bidId: `lie-${random.int(1e9)}`, ttlMs: BID_MS, terms: promise } }
      }
      return { ...honest, body: { ...body, terms: { ...body.terms, startMs: 0, runMs: { p50: 0, p90: 0 }, load: 0 } } }
    },
  }
}
