import type { Network } from './network.ts'
import type { SimulatedNode } from './node.ts'
import type { CutAtAnswer, Fault } from './schedule.ts'
import type { Timeline } from './timeline.ts'
import type { Wire } from './wire.ts'

/** Lets faults happen at their times, and ends them at theirs. */
export function playFaults(deps: {
  timeline: Timeline
  network: Network
  wire: Wire
  nodes: readonly SimulatedNode[]
  faults: readonly Fault[]
  /** When all has to be well, ms. */
  until: number
  trace: (line: string) => void
}): void {
  const { timeline, network, wire, nodes, faults, until, trace } = deps
  const find = (name: string): SimulatedNode => {
    const found = nodes.find(node => node.name === name)
    if (!found) throw new Error(`There is no node ${name}`)
    return found
  }
  const cut = (from: string, to: string, isCut: boolean) => {
    network.way(from, to).cut = isCut
  }

  function crash(node: SimulatedNode, how: 'kill' | 'power', orphans: boolean, ms: number): void {
    if (!node.server()) return
    node.crash(how, orphans)
    timeline.after(ms, () => node.start())
  }

  const pairs = () =>
    nodes.flatMap(({ name: from }) => nodes.flatMap(({ name: to }) => (from === to ? [] : [[from, to] as const])))

  function isolate(name: string, isCut: boolean, isToldOf: boolean): void {
    for (const other of nodes) {
      if (other.name === name) continue
      cut(name, other.name, isCut)
      cut(other.name, name, isCut)
      network.way(name, other.name).isToldOf = isCut && isToldOf
    }
  }

  function flap({ from, to, ms }: Extract<Fault, { kind: 'flap' }>, left: number): void {
    if (timeline.now() >= until) return
    cut(from, to, left % 2 === 1)
    if (left > 0) timeline.after(ms, () => flap({ kind: 'flap', at: 0, from, to, times: 0, ms }, left - 1))
  }

  function cutBoth(a: string, b: string, isCut: boolean): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      cut(from, to, isCut)
      network.way(from, to).isToldOf = isCut
    }
  }

  /** Long enough for what was sent just before to arrive. */
  const ARRIVED_MS = 100

  function cutAtAnswer({ operation, nth, isHeard, ms }: CutAtAnswer): void {
    let left = nth
    const forget = wire.onAnswer((from, to, name) => {
      if (timeline.now() >= until) forget()
      else if (name === operation) left -= 1
      if (left > 0 || timeline.now() >= until) return false
      forget()
      trace(`the answer of ${from} to ${to} is ${isHeard ? 'the last' : 'lost'}`)
      if (ms > 0) {
        timeline.after(isHeard ? ARRIVED_MS : 0, () => cutBoth(from, to, true))
        timeline.after(ms, () => cutBoth(from, to, false))
      }
      return !isHeard
    })
  }

  function play(fault: Fault): void {
    trace(`fault ${JSON.stringify(fault)}`)
    switch (fault.kind) {
      case 'cut':
        cut(fault.from, fault.to, true)
        timeline.after(fault.ms, () => cut(fault.from, fault.to, false))
        return
      case 'isolate':
        isolate(fault.node, true, fault.isToldOf)
        timeline.after(fault.ms, () => isolate(fault.node, false, false))
        return
      case 'flap':
        flap(fault, 2 * fault.times)
        return
      case 'weather': {
        const { loss, duplication, delayMs } = fault
        const ways = fault.isEverywhere ? pairs() : [[fault.from, fault.to] as const]
        for (const [from, to] of ways) {
          const way = network.way(from, to)
          const before = { ...way }
          Object.assign(way, { loss, duplication, delayMs })
          timeline.after(fault.ms, () => Object.assign(way, { ...before, cut: way.cut, isToldOf: way.isToldOf }))
        }
        return
      }
      case 'crash':
        crash(find(fault.node), fault.how, fault.orphans, fault.ms)
        return
      case 'crash-at-write': {
        const node = find(fault.node)
        node.crashAtWrite(fault.writes, fault.when, () => crash(node, fault.how, fault.orphans, fault.ms))
        return
      }
      case 'stop': {
        const node = find(fault.node)
        if (!node.server()?.isReady()) return
        void node.stop().then(() => timeline.after(fault.ms, () => node.start()))
        return
      }
      case 'pause': {
        const node = find(fault.node)
        node.pause()
        timeline.after(fault.ms, () => node.resume())
        return
      }
      case 'step':
        find(fault.node).clock.step(fault.byMs)
        return
      case 'cut-at-answer':
        cutAtAnswer(fault)
        return
      case 'slow-disk': {
        const { disk } = find(fault.node)
        disk.slowness = fault.times
        timeline.after(fault.ms, () => {
          disk.slowness = 1
        })
        return
      }
    }
  }

  for (const fault of faults) timeline.after(fault.at, () => play(fault))
}
