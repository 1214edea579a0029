import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** What is wrong with the way from one node to another. */
export interface Weather {
  /** Nothing comes through. */
  cut: boolean
  /** Who sends is told at once that nothing comes through, as by a machine without a network. */
  isToldOf: boolean
  /** Share of messages that are lost, 0 to 1. */
  loss: number
  /** Share of messages that come twice. */
  duplication: number
  /** Mean delay, ms; each message has its own, so that later ones overtake. */
  delayMs: number
}

const FAIR: Weather = { cut: false, isToldOf: false, loss: 0, duplication: 0, delayMs: 3 }

/** Carries messages between nodes: each with a delay of its own, some not at all, some twice. Ways are one-way. */
export interface Network {
  /** The weather from one to another, to be changed. */
  way(from: string, to: string): Weather
  /** All ways as they were at first. */
  calm(): void
  /** @param arrive called for each time it comes; not at all when it is lost */
  send(from: string, to: string, arrive: () => void): void
  /** Whether a message sent now could arrive. */
  isOpen(from: string, to: string): boolean
  /** Messages sent so far, copies not counted. */
  sent(): number
}

/** @param fair the weather where nothing else is said */
export function createNetwork(timeline: Timeline, random: Random, fair: Partial<Weather> = {}): Network {
  const ways = new Map<string, Weather>()
  let sent = 0

  function way(from: string, to: string): Weather {
    const name = `${from}>${to}`
    const known = ways.get(name)
    if (known) return known
    const made = { ...FAIR, ...fair }
    ways.set(name, made)
    return made
  }

  /** Half of it for every message, the rest by chance: long delays are rare and happen. */
  const delay = ({ delayMs }: Weather): number => delayMs / 2 + random.exponential(delayMs / 2)

  return {
    way,
    calm: () => ways.clear(),
    send(from, to, arrive) {
      sent += 1
      const weather = way(from, to)
      // Drawn whatever the weather, so that the next message's luck does not depend on it.
      const [lost, twice] = [random.next() < weather.loss, random.next() < weather.duplication]
      const [first, second] = [delay(weather), delay(weather)]
      if (weather.cut || lost) return
      // What is on its way when the way is cut is lost too.
      const unlessCut = () => !way(from, to).cut && arrive()
      timeline.after(first, unlessCut)
      if (twice) timeline.after(first + second, unlessCut)
    },
    isOpen: (from, to) => !way(from, to).cut,
    sent: () => sent,
  }
}
