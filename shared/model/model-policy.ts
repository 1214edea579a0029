import * as z from 'zod'

/**
 * Whose models answer the model calls of an attempt on another node; the home says. `prefer-…`: that side where it has the model, else
 * the other.
 */
export const ModelPolicy = z.enum(['prefer-worker', 'prefer-home', 'worker-only', 'home-only']).meta({ id: 'ModelPolicy' })
export type ModelPolicy = z.infer<typeof ModelPolicy>
