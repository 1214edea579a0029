import { BlockList, isIP } from 'node:net'
import type { Clock } from '#server/lib/clock.ts'
import { pause as pauseFor } from '#server/lib/pause.ts'
import type { MeshOutage, PeerDirectory } from '../peer-directory.ts'
import { callerOf, isChange, memberOf, membersOf, Notify, Status, WhoIs } from './answers.ts'
import { askCommand, findCommand } from './command.ts'
import { findDoor, type Place } from './door.ts'
import { type Door, getJson, getLines, LocalApiError } from './local-api.ts'
import { outageFrom, outageOf } from './outage.ts'

/** Between two tries to follow a daemon that is away, ms. */
const FIRST_PAUSE_MS = 1_000
const LAST_PAUSE_MS = 60_000
/** Between two looks where only the command answers, which tells of no change, ms. */
const POLL_MS = 30_000
/** State at first; peers as they come, go and change; no private keys and no whole network map (`ipn.NotifyWatchOpt`). */
const WATCH_MASK = (1 << 1) | (1 << 4) | (1 << 12) | (1 << 13) | (1 << 15)

/** What Tailscale gives its machines: a part of the shared address space (RFC 6598), and a prefix of its own. */
const RANGES = new BlockList()
RANGES.addSubnet('100.64.0.0', 10, 'ipv4')
RANGES.addSubnet('fd7a:115c:a1e0::', 48, 'ipv6')

export interface TailscaleDeps extends Place {
  /** Where to look for the command, as in PATH. */
  readonly path: string
  readonly clock: Clock
}

/** The tailnet of this machine. Asks the daemon by its LocalAPI, or by the `tailscale` command where that is not let in. */
export function tailscaleMesh(deps: TailscaleDeps): PeerDirectory {
  const { clock, socket, platform, path } = deps
  /** That answered last: finding it may mean running another program. */
  let open: Door | null = null

  /** Asks one of two ways. @throws {Error} of the first, when neither works */
  async function ask(apiPath: string, argv: string[], signal: AbortSignal): Promise<unknown> {
    try {
      return await askDoor(apiPath, signal)
    } catch (error) {
      if (signal.aborted || isNobody(error)) throw error
      const command = await findCommand(path, platform)
      if (command === null) throw error
      return askCommand(command, socket, argv, signal).catch(() => Promise.reject(error))
    }
  }

  /** A door that was open may have moved: an app of macOS takes another port and token each time it starts. */
  async function askDoor(apiPath: string, signal: AbortSignal): Promise<unknown> {
    if (open) {
      const answer = await getJson(open, apiPath, signal).catch(error => (isNobody(error) ? Promise.reject(error) : MOVED))
      if (answer !== MOVED) return answer
      open = null
    }
    const door = await findDoor(deps)
    const answer = await getJson(door, apiPath, signal)
    open = door
    return answer
  }

  async function outage(error: unknown): Promise<MeshOutage> {
    const [door, command] = await Promise.all([findDoor(deps), findCommand(path, platform)])
    return outageFrom(error, nameOf(door), command !== null)
  }

  return {
    kind: 'tailscale',
    source: 'tailnet',

    async view(signal) {
      let status: Status
      try {
        status = Status.parse(await ask('/localapi/v0/status', ['status', '--json'], signal))
      } catch (error) {
        return outage(error)
      }
      const outageNow = outageOf(status.BackendState)
      if (outageNow || !status.Self) return outageNow ?? outageOf('Starting') ?? outage(new Error('it says nothing of itself'))
      return { state: 'running', self: memberOf(status.Self, status), hasInterface: status.TUN, members: membersOf(status) }
    },

    mayOwn(address) {
      const plain = address.replace(/^::ffff:/, '')
      const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4'
      if (isIP(plain) === 0) return false
      return RANGES.check(plain, family)
    },

    async whois(address, port, signal) {
      const plain = address.replace(/^::ffff:/, '')
      const addr = port === undefined ? plain : `${plain.includes(':') ? `[${plain}]` : plain}:${port}`
      try {
        const query = new URLSearchParams({ addr })
        return callerOf(WhoIs.parse(await ask(`/localapi/v0/whois?${query}`, ['whois', '--json', addr], signal)))
      } catch (error) {
        if (isNobody(error)) return null
        throw new Error((await outage(error)).what, { cause: error })
      }
    },

    watch(changed, signal) {
      void follow(changed, signal)
    },
  }

  async function follow(changed: () => void, signal: AbortSignal): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; ) {
      let wait: number
      try {
        for await (const line of getLines(await findDoor(deps), `/localapi/v0/watch-ipn-bus?mask=${WATCH_MASK}`, signal)) {
          pause = FIRST_PAUSE_MS
          if (isChange(Notify.parse(line))) changed()
        }
        wait = pause
      } catch (error) {
        const { state } = await outage(error)
        // Nothing is here that could come back by itself.
        if (state === 'absent') return
        wait = state === 'no_permission' ? POLL_MS : pause
      }
      await pauseFor(wait, clock, signal)
      pause = Math.min(2 * pause, LAST_PAUSE_MS)
      if (!signal.aborted) changed()
    }
  }
}

const MOVED = Symbol('moved')

/** What LocalAPI answers for an address that is nobody's. */
const isNobody = (error: unknown): boolean => error instanceof LocalApiError && error.status === 404

const nameOf = (door: Door): string => ('port' in door ? `127.0.0.1:${door.port}` : door.socketPath)
