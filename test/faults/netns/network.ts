import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'

/** Where `ip netns` keeps its names. */
const NAMES = '/run/netns'
const PREFIX = 'skeintest'
/** The last octet of the bridge, and of the first address of a machine. */
const HUB = 1
const FIRST = 10

/** Machines on a bridge, each with a network namespace of its own; nothing of it is seen outside. */
export interface Network extends AsyncDisposable {
  /** What to put before a command line so that it runs on the bridge, where nobody is cut off. */
  readonly onHub: readonly string[]
  readonly hubAddress: string
  plug(): Plugged
}

/** One machine's place in the network. */
export interface Plugged {
  /** What to put before a command line so that it runs there. */
  readonly inside: readonly string[]
  readonly address: string
  /** Packets from another machine do not arrive here any more, though ours do there: one half of a partition. */
  deafTo(other: Plugged): void
  hears(other: Plugged): void
  /** New connections to another machine's port go to a port of the bridge instead, and those there are break. */
  detour(to: { address: string; port: number }, via: number): void
  straight(to: { address: string; port: number }, via: number): void
  /** Has another address from now on; what was connected hangs. */
  move(): void
}

/** Why there can be no such network here; null when there can. */
export function whyNoNetwork(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const [program, from] of [
    ['ip', 'iproute2'],
    ['iptables', 'iptables'],
    ['nsenter', 'util-linux'],
  ] as const)
    if (!works(program, '--version') && !works(program, '-V')) return `there is no ${program} (apt install ${from})`
  return works('ip', 'netns', 'list') ? null : '`ip netns` is not allowed here'
}

function works(program: string, ...argv: string[]): boolean {
  try {
    execFileSync(program, argv, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** @param directory what the machines keep; removed with the network, also when the test is killed */
export function createNetwork(directory: string): Network {
  removeLeftovers()
  const block = freeBlock()
  const hub = `${PREFIX}-${process.pid}-${block}`
  const names: string[] = []
  const undertaker = appointUndertaker(`${hub}-`, directory)
  const addressOf = (last: number) => `10.213.${block}.${last}`
  const add = (name: string) => {
    ip('netns', 'add', name)
    ip('-n', name, 'link', 'set', 'lo', 'up')
    names.push(name)
  }
  add(`${hub}-hub`)
  const [bridge = ''] = names
  ip('-n', bridge, 'link', 'add', 'hub', 'type', 'bridge')
  ip('-n', bridge, 'addr', 'add', `${addressOf(HUB)}/24`, 'dev', 'hub')
  ip('-n', bridge, 'link', 'set', 'hub', 'up')
  let last = FIRST

  return {
    onHub: enter(bridge),
    hubAddress: addressOf(HUB),
    plug() {
      const name = `${hub}-${names.length}`
      const port = `port${names.length}`
      add(name)
      ip('link', 'add', 'eth', 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', bridge)
      ip('-n', bridge, 'link', 'set', port, 'master', 'hub', 'up')
      let address = addressOf(last++)
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth')
      ip('-n', name, 'link', 'set', 'eth', 'up')
      const tables = (...argv: string[]) => run('nsenter', ...enter(name).slice(1), 'iptables', '-w', ...argv)
      // With the last rule of the table what it did to open connections would end, and they would hang.
      tables('-t', 'nat', '-A', 'OUTPUT', '-d', '192.0.2.1', '-j', 'ACCEPT')
      const reset = (to: { address: string; port: number }) => [
        ...['OUTPUT', '-p', 'tcp', '-d', to.address, '--dport', String(to.port)],
        ...['-j', 'REJECT', '--reject-with', 'tcp-reset'],
      ]
      const redirect = (to: { address: string; port: number }, via: number) => [
        ...['OUTPUT', '-p', 'tcp', '-d', to.address, '--dport', String(to.port)],
        ...['-j', 'DNAT', '--to-destination', `${addressOf(HUB)}:${via}`],
      ]
      return {
        inside: enter(name),
        get address() {
          return address
        },
        deafTo: other => tables('-A', 'INPUT', '-s', other.address, '-j', 'DROP'),
        hears: other => tables('-D', 'INPUT', '-s', other.address, '-j', 'DROP'),
        detour(to, via) {
          tables('-t', 'nat', '-A', ...redirect(to, via))
          tables('-A', ...reset(to))
        },
        straight(to, via) {
          tables('-D', ...reset(to))
          tables('-t', 'nat', '-D', ...redirect(to, via))
        },
        move() {
          ip('-n', name, 'addr', 'del', `${address}/24`, 'dev', 'eth')
          address = addressOf(last++)
          ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth')
        },
      }
    },
    async [Symbol.asyncDispose]() {
      const gone = once(undertaker, 'exit')
      undertaker.stdin?.end()
      await gone
    },
  }
}

const enter = (name: string): string[] => ['nsenter', `--net=${NAMES}/${name}`]
const run = (program: string, ...argv: string[]): string => execFileSync(program, argv, { encoding: 'utf8' })
const ip = (...argv: string[]): string => run('ip', ...argv)

/**
 * A process that outlives ours by a moment, however ours ends: when its standard input closes it ends what runs in the namespaces and
 * removes them.
 */
function appointUndertaker(prefix: string, directory: string): ChildProcess {
  const script = `cat >/dev/null
    for path in ${NAMES}/${prefix}*; do
      name=\${path##*/}
      kill -9 $(ip netns pids "$name") 2>/dev/null
      ip netns del "$name"
    done
    rm -rf -- "$1"`
  // A group of its own: what ends our group does not end it.
  return spawn('sh', ['-c', script, 'sh', directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
}

const ourNames = (): string[] => (existsSync(NAMES) ? readdirSync(NAMES).filter(name => name.startsWith(`${PREFIX}-`)) : [])

/** Namespaces whose test is gone and whose undertaker was killed too. */
function removeLeftovers(): void {
  for (const name of ourNames()) {
    const [, pid] = name.split('-')
    if (!existsSync(`/proc/${pid}`)) ip('netns', 'del', name)
  }
}

/** A third octet that no other network of these tests uses now. */
function freeBlock(): number {
  const used = new Set(ourNames().map(name => Number(name.split('-')[2])))
  for (let block = 1; block < 255; block++) if (!used.has(block)) return block
  throw new Error('All networks of the tests are in use')
}
