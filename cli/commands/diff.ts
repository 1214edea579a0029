import { sanitizeTerminal } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { resolveJobId } from '../job-id.ts'
import { renderChanges, renderTotals } from '../render/diff-stat.ts'
import type { Paint } from '../terminal.ts'
import type { World } from '../world.ts'

export interface DiffOptions extends ConnectionOptions {
  readonly stat?: boolean
  readonly json?: boolean
}

/** Shows what a job changed: coloured and safe at a terminal, and byte for byte elsewhere, so that `git apply` can read it. */
export async function diff(world: World, given: string, options: DiffOptions): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const id = await resolveJobId(client, given)
  if (options.stat || options.json) {
    const { diffStat } = await client.getResult({ params: { id } })
    const lines = options.json
      ? [JSON.stringify(diffStat)]
      : [...renderChanges(diffStat, world.out.paint, Number.POSITIVE_INFINITY), renderTotals(diffStat, world.out.paint)]
    for (const line of lines) await world.out.line(line)
    return EXIT.ok
  }
  const patch = new Uint8Array(await (await client.getDiff({ params: { id } })).arrayBuffer())
  if (patch.length === 0) await world.err.line('No changes.')
  else if (world.out.isTerminal) await world.out.write(renderPatch(new TextDecoder().decode(patch), world.out.paint))
  else await world.out.write(patch)
  return EXIT.ok
}

const LOOKS: readonly (readonly [start: RegExp, style: Parameters<Paint>[0]])[] = [
  [/^(diff |index |--- |\+\+\+ |new file|deleted file|similarity|rename |copy |old mode|new mode|Binary|GIT binary)/, 'bold'],
  [/^@@/, 'cyan'],
  [/^\+/, 'green'],
  [/^-/, 'red'],
]

/** A patch with its usual colours; what the files hold is made safe to show. */
export function renderPatch(patch: string, paint: Paint): string {
  return sanitizeTerminal(patch)
    .split('\n')
    .map(line => {
      const look = LOOKS.find(([start]) => start.test(line))
      return look ? paint(look[1], line) : line
    })
    .join('\n')
}
