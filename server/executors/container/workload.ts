import * as z from 'zod'
import type { Workload } from '#shared/model/index.ts'
import type { SandboxStats } from '../index.ts'
import { type Engine, labelled } from './engine.ts'
import { LABELS } from './place.ts'

const Listed = z.array(
  z.object({ Id: z.string(), State: z.string(), Created: z.number(), Labels: z.record(z.string(), z.string()).nullish() }),
)
export type Listed = z.infer<typeof Listed>[number]

/** All containers of a node, whatever they are for. */
export const listContainers = (engine: Engine, nodeId: string): Promise<Listed[]> =>
  engine.ask(Listed, 'GET', `/containers/json?all=true&${labelled([`${LABELS.node}=${nodeId}`])}`)

export const sandboxOf = ({ Labels }: Listed): string | undefined => Labels?.[LABELS.sandbox]

export function describeContainer(
  { State, Created, Labels }: Listed,
  stats: Pick<SandboxStats, 'cpuMs' | 'memoryBytes'> | null,
): Workload {
  const label = (name: keyof typeof LABELS) => Labels?.[LABELS[name]] ?? null
  const number = (name: keyof typeof LABELS) => {
    const text = label(name)
    return text === null ? null : Number(text)
  }
  return {
    id: `container:${label('sandbox')}`,
    executor: 'container',
    jobId: label('job'),
    epoch: number('epoch'),
    purpose: label('purpose'),
    state: State === 'running' ? 'running' : State === 'created' ? 'pending' : 'ended',
    reason: null,
    isolation: label('isolation') === 'vm' ? 'vm' : 'container',
    image: label('image'),
    imageDigest: label('digest'),
    machine: null,
    startedAt: new Date(Created * 1000).toISOString(),
    cpuMs: stats ? Math.round(stats.cpuMs) : null,
    memoryBytes: stats?.memoryBytes ?? null,
    memoryLimitBytes: number('memory'),
  }
}
