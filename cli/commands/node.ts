import { join } from 'node:path'
import { formatBytes } from '#server/lib/units.ts'
import { type PruneReport, sanitizeLine } from '#shared/model/index.ts'
import { type ConnectionOptions, connect, dataDirectory, readToken } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { table } from '../table.ts'
import type { World } from '../world.ts'
import { bytes, duration } from './run.ts'

type Options = ConnectionOptions & { readonly json?: boolean }

/** Lists the agents the server can run. */
export async function agents(world: World, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const found = await client.listAgents()
  if (options.json) {
    await world.out.line(JSON.stringify(found))
    return EXIT.ok
  }
  const { paint } = world.out
  const lines = table(
    found.items,
    [
      { title: 'AGENT', value: agent => agent.id },
      {
        title: 'USABLE',
        value: agent => (agent.usable ? '✓ yes' : '– no'),
        paint: (cell, { usable }) => paint(usable ? 'green' : 'dim', cell),
      },
      { title: 'VERSION', value: agent => sanitizeLine(agent.version ?? '') },
      { title: '', value: agent => sanitizeLine(agent.usable ? agent.detail : (agent.remedy ?? agent.detail)), elastic: true },
    ],
    world.out,
  )
  for (const line of lines) await world.out.line(line)
  return EXIT.ok
}

/** Lists the models the server can reach. */
export async function models(world: World, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const found = await client.listModels()
  if (options.json) {
    await world.out.line(JSON.stringify(found))
  } else if (found.data.length === 0) {
    await world.err.line('No models. Start Ollama, or set OPENAI_BASE_URL; `skein doctor` says what was tried.')
  } else {
    const columns = [
      { title: 'MODEL', value: (model: (typeof found.data)[number]) => sanitizeLine(model.id) },
      { title: 'PROVIDER', value: (model: (typeof found.data)[number]) => sanitizeLine(model.owned_by) },
    ]
    for (const line of table(found.data, columns, world.out)) await world.out.line(line)
  }
  return EXIT.ok
}

export interface PruneOptions extends Options {
  readonly olderThan?: string
  readonly keep?: string
  readonly dryRun?: boolean
}

/** Removes ended jobs by age and size. */
export async function prune(world: World, options: PruneOptions): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const report = await client.prune({
    body: {
      ...(options.olderThan === undefined ? {} : { olderThanMs: duration('--older-than', options.olderThan) }),
      ...(options.keep === undefined ? {} : { keepBytes: bytes('--keep', options.keep) }),
      dryRun: options.dryRun === true,
    },
  })
  await world.out.line(options.json ? JSON.stringify(report) : renderPrune(report))
  return EXIT.ok
}

function renderPrune({ jobs, logBytes, freedBytes, dryRun }: PruneReport): string {
  const what = `${jobs} ended ${jobs === 1 ? 'job' : 'jobs'}`
  const logs = `logs: ${formatBytes(logBytes)}`
  return dryRun ? `Would remove at most ${what} (${logs}).` : `Removed ${what} and freed ${formatBytes(freedBytes)} (${logs}).`
}

/** Says where the token is; the value itself only when asked for by name. */
export async function token(world: World, options: Options & { readonly show?: boolean }): Promise<ExitCode> {
  const dataDir = await dataDirectory(world, options)
  const path = join(dataDir, 'token')
  const value = await readToken(dataDir)
  if (value === null) {
    throw new CliError(EXIT.unavailable, `There is no token in ${dataDir} yet.`, {
      remedy: 'The first start of `skein serve` makes one.',
    })
  }
  if (options.json) await world.out.line(JSON.stringify({ path, ...(options.show ? { token: value } : {}) }))
  else await world.out.line(options.show ? value : path)
  return EXIT.ok
}
