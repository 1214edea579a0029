import * as z from 'zod'

/** How a sandbox keeps what runs in it from the machine, the weakest first. */
export const IsolationLevel = z.enum(['none', 'process', 'container', 'vm']).meta({ id: 'IsolationLevel' })
export type IsolationLevel = z.infer<typeof IsolationLevel>
