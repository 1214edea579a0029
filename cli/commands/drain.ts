import { setTimeout as pause } from 'node:timers/promises'
import { formatDuration } from '#server/lib/units.ts'
import type { Client } from '#shared/contract/index.ts'
import { type DrainStatus, sanitizeLine } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import type { World } from '../world.ts'
import { duration } from './run.ts'

export interface DrainOptions extends ConnectionOptions {
  readonly handBack?: boolean
  readonly after?: string
  readonly wait?: boolean
  readonly show?: boolean
  readonly off?: boolean
  readonly json?: boolean
}

/** Between two looks at a node that is waited for, ms. */
const LOOK_MS = 1_000

/** Lets a node take no more attempts, or take them again, and says what still runs. */
export async function drain(world: World, options: DrainOptions): Promise<ExitCode> {
  refuseContradictions(options)
  const { client } = await connect(world, options)
  let status = await ask(client, options)
  await tell(world, status, options)
  for (let left = status.running.length; options.wait && left > 0; left = status.running.length) {
    await pause(LOOK_MS)
    status = await client.drainStatus()
    if (status.running.length !== left) await tell(world, status, options)
  }
  return EXIT.ok
}

function refuseContradictions({ handBack, after, wait, show, off }: DrainOptions): void {
  const chosen = [handBack && '--hand-back', show && '--show', off && '--off'].filter(Boolean)
  if (chosen.length > 1) throw new CliError(EXIT.usage, `${chosen.join(' and ')} exclude each other.`)
  if (after !== undefined && !handBack) throw new CliError(EXIT.usage, '--after goes with --hand-back.')
  if (wait && off) throw new CliError(EXIT.usage, '--wait and --off exclude each other.')
}

function ask(client: Client, { handBack, after, show, off }: DrainOptions): Promise<DrainStatus> {
  if (show) return client.drainStatus()
  const handBackAfterMs = handBack ? (after === undefined ? 0 : duration('--after', after)) : null
  return client.drain({ body: { draining: off !== true, handBackAfterMs } })
}

async function tell(world: World, status: DrainStatus, { json }: DrainOptions): Promise<void> {
  for (const line of json ? [JSON.stringify(status)] : renderDrain(status, Date.now())) await world.out.line(line)
}

/** @param now ms since 1970 */
export function renderDrain({ draining, handBackAt, running, queued }: DrainStatus, now: number): string[] {
  if (!draining) return ['Attempts are taken.']
  const left = handBackAt === null ? null : Date.parse(handBackAt) - now
  const theirs = running.some(({ home }) => home !== null)
  const lines = running.map(({ jobId, epoch, title, state, home }) => {
    const whose = home === null ? 'of this node' : `of ${sanitizeLine(home.name)}`
    return `  ${jobId}  attempt ${epoch} ${whose}, ${state}: ${sanitizeLine(title)}`
  })
  return [
    running.length === 0 ? 'No attempts are taken, and none runs.' : `No attempts are taken; ${running.length} still run:`,
    ...lines,
    ...(left !== null && theirs
      ? [
          left > 0
            ? `Those of other nodes are given back in ${formatDuration(left)}.`
            : 'Those of other nodes are being given back.',
        ]
      : []),
    ...(queued > 0 ? [`${queued} jobs of this node wait for another node, or for \`skein drain --off\`.`] : []),
  ]
}
