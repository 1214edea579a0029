import * as z from 'zod'

/** How a sandbox is made. */
export const ExecutorKind = z.enum(['process', 'container', 'kubernetes']).meta({ id: 'ExecutorKind' })
export type ExecutorKind = z.infer<typeof ExecutorKind>
