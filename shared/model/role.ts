import * as z from 'zod'

/** What a caller may do: see; also run jobs; all that an owner may. */
export const ROLES = ['viewer', 'runner', 'admin'] as const
export const Role = z.enum(ROLES).meta({ id: 'Role' })
export type Role = z.infer<typeof Role>

/** Whether a role includes another. */
export const includes = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed)

/** The highest of some roles; null of none. */
export const highest = (roles: readonly Role[]): Role | null => ROLES.findLast(role => roles.includes(role)) ?? null
