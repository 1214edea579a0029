import { setTimeout as pause } from 'node:timers/promises'
import type { Machine, Relay } from './machine.ts'
import { PORT } from './machine.ts'
import type { Network } from './network.ts'

/** What can happen to three machines, told by the lease of an attempt (5 s here). */
export interface Stage {
  readonly home: Machine
  readonly workers: readonly Machine[]
  readonly network: Network
  readonly relay: Relay
  readonly random: () => number
}

/** Happens, and is over when it fulfils: from then on everything works again. */
type Fault = (stage: Stage) => Promise<unknown>

const LEASE_MS = 5_000
/** Where slow connections of the home pass the bridge. */
const SLOW_PORT = 9_000

const between = (least: number, most: number, random: () => number): number => least + random() * (most - least)

function oneOf<T>(items: readonly T[], random: () => number): T {
  const chosen = items[Math.floor(random() * items.length)]
  if (chosen === undefined) throw new Error('There is nothing to choose from')
  return chosen
}

async function cut(pairs: readonly (readonly [Machine, Machine])[], ms: number): Promise<void> {
  for (const [deaf, other] of pairs) deaf.plug.deafTo(other.plug)
  await pause(ms)
  for (const [deaf, other] of pairs) deaf.plug.hears(other.plug)
}

async function sleep(machine: Machine, ms: number): Promise<void> {
  machine.freeze()
  await pause(ms)
  machine.thaw()
}

async function slow({ home, workers, network, relay, random }: Stage, breakAfterBytes: number | null): Promise<void> {
  const detours = workers.map(({ plug: { address } }, index) => ({ to: { address, port: PORT }, via: SLOW_PORT + index }))
  for (const { to, via } of detours) {
    const delayMs = between(20, 400, random)
    const name = `slow ${network.hubAddress}:${via}`
    await relay.route({ name, listen: via, to, delayMs, ...(breakAfterBytes === null ? {} : { breakAfterBytes }) })
    home.plug.detour(to, via)
  }
  await pause(between(2_000, 6_000, random))
  for (const { to, via } of detours) home.plug.straight(to, via)
}

/** By what a person would call it. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'the home is killed': ({ home }) => home.die(),
  'a worker is killed': ({ workers, random }) => oneOf(workers, random).die(),
  'home and worker are killed at once': ({ home, workers, random }) => Promise.all([home.die(), oneOf(workers, random).die()]),
  'the home is killed twice': async ({ home, random }) => {
    await home.die()
    await pause(between(0, 800, random))
    await home.die()
  },
  'the lid of the home closes for a moment': ({ home, random }) => sleep(home, between(100, 0.6 * LEASE_MS, random)),
  'the lid of the home closes for longer than a lease': ({ home, random }) =>
    sleep(home, between(1.1 * LEASE_MS, 1.6 * LEASE_MS, random)),
  'the lid of a worker closes for longer than a lease': ({ workers, random }) =>
    sleep(oneOf(workers, random), between(1.1 * LEASE_MS, 1.6 * LEASE_MS, random)),
  'home and a worker lose each other': ({ home, workers, random }) => {
    const worker = oneOf(workers, random)
    const both = [[home, worker] as const, [worker, home] as const]
    return cut(both, between(500, 1.6 * LEASE_MS, random))
  },
  'a worker does not hear the home': ({ home, workers, random }) =>
    cut([[oneOf(workers, random), home]], between(500, 1.6 * LEASE_MS, random)),
  'the home does not hear a worker': ({ home, workers, random }) =>
    cut([[home, oneOf(workers, random)]], between(500, 1.6 * LEASE_MS, random)),
  'the home is cut off from all': ({ home, workers, random }) =>
    cut(
      workers.map(worker => [home, worker] as const),
      between(500, 1.6 * LEASE_MS, random),
    ),
  'the line flaps': async ({ home, workers, random }) => {
    const worker = oneOf(workers, random)
    for (let times = 0; times < 6; times++) {
      const pair = random() < 0.5 ? ([home, worker] as const) : ([worker, home] as const)
      await cut([pair], between(50, 600, random))
      await pause(between(20, 300, random))
    }
  },
  'a worker gets another address': ({ workers, random }) => oneOf(workers, random).move(),
  'the line is slow': stage => slow(stage, null),
  'the line is slow and breaks': stage => slow(stage, Math.round(between(2_000, 40_000, stage.random))),
}
