import { formatBytes } from '#server/lib/units.ts'
import { sanitizeLine, type Workload } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { resolveJobId } from '../job-id.ts'
import { pagesOf } from '../pages.ts'
import { type Column, table } from '../table.ts'
import type { World } from '../world.ts'

type Options = ConnectionOptions & { readonly json?: boolean }
type Client = Awaited<ReturnType<typeof connect>>['client']

/** Lists how the server can make sandboxes, and what each way can give now. */
export async function executors(world: World, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const found = await client.listExecutors()
  if (options.json) {
    await world.out.line(JSON.stringify(found))
    return EXIT.ok
  }
  type Row = (typeof found.items)[number]
  const columns: Column<Row>[] = [
    { title: 'EXECUTOR', value: ({ kind }) => kind },
    {
      title: 'USABLE',
      value: ({ available }) => (available ? '✓ yes' : '– no'),
      paint: (cell, { available }) => world.out.paint(available ? 'green' : 'dim', cell),
    },
    { title: 'ISOLATION', value: ({ levels }) => levels.join(', ') },
    {
      title: 'FREE',
      value: ({ capacity }) => (capacity ? `${capacity.cpuCores} CPU, ${formatBytes(capacity.memoryBytes)}` : ''),
    },
    {
      title: '',
      value: ({ available, detail, remedy, capacity }) =>
        sanitizeLine(available ? (capacity?.full ?? detail) : `${detail}${remedy === null ? '' : ` ${remedy}`}`),
      elastic: true,
    },
  ]
  for (const line of table(found.items, columns, world.out)) await world.out.line(line)
  return EXIT.ok
}

/** Lists the processes, containers and pods that belong to jobs. */
export async function workloads(world: World, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const { items, unreachable } = await allWorkloads(client)
  if (options.json) {
    await world.out.line(JSON.stringify({ items, unreachable }))
    return EXIT.ok
  }
  for (const { executor, reason } of unreachable) await world.err.line(`${executor} did not answer: ${sanitizeLine(reason)}`)
  const columns: Column<Workload>[] = [
    { title: 'WORKLOAD', value: ({ id }) => sanitizeLine(id) },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'FOR', value: ({ purpose }) => sanitizeLine(purpose ?? '') },
    { title: 'ISOLATION', value: ({ isolation }) => isolation },
    { title: 'CPU', value: ({ cpuMs }) => (cpuMs === null ? '' : `${(cpuMs / 1000).toFixed(1)} s`), align: 'right' },
    { title: 'MEMORY', value: ({ memoryBytes }) => (memoryBytes === null ? '' : formatBytes(memoryBytes)), align: 'right' },
    {
      title: '',
      value: ({ image, machine, reason }) => sanitizeLine([reason, image, machine].filter(text => text !== null).join(' · ')),
      elastic: true,
    },
  ]
  if (items.length === 0) await world.err.line('Nothing runs here now.')
  else for (const line of table(items, columns, world.out)) await world.out.line(line)
  return EXIT.ok
}

/** Frees the place of a workload, or of what a job runs here: its attempt is lost, and the job is placed again. */
export async function evict(world: World, given: string, options: Options): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const id = given.includes(':') ? given : await workloadOf(client, given)
  const evicted = await client.evictWorkload({ params: { id } })
  await world.out.line(options.json ? JSON.stringify(evicted) : `${evicted.jobId} gives its place free, and is placed again`)
  return EXIT.ok
}

async function workloadOf(client: Client, given: string): Promise<string> {
  const jobId = await resolveJobId(client, given)
  const { items } = await client.listWorkloads({ query: { jobId, limit: 1 } })
  const [found] = items
  if (found) return found.id
  throw new CliError(EXIT.failed, `Job ${jobId} has no workload on this node.`, { remedy: '`skein workloads` lists them.' })
}

async function allWorkloads(client: Client) {
  const items: Workload[] = []
  let unreachable: Awaited<ReturnType<Client['listWorkloads']>>['unreachable'] = []
  for await (const page of pagesOf(from => client.listWorkloads({ query: { limit: 200, ...from } }))) {
    items.push(...page.items)
    unreachable = page.unreachable
  }
  return { items, unreachable }
}
