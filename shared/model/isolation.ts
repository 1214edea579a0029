import * as z from 'zod'

const LEVELS = ['none', 'process', 'container', 'vm'] as const

/** How a sandbox keeps what runs in it from the machine, the weakest first. */
export const IsolationLevel = z.enum(LEVELS).meta({ id: 'IsolationLevel' })
export type IsolationLevel = z.infer<typeof IsolationLevel>

/** Whether one level keeps in what runs there at least as well as another. */
export const isAtLeast = (level: IsolationLevel, least: IsolationLevel): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(least)
