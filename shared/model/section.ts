import * as z from 'zod'

/**
 * A section of the settings that may be left out. Its schema is made once a setting of it is given: to make the schemas of all
 * settings takes longer than most of what else a start does.
 * @param defaults what the schema makes of `{}`; server/config.test.ts holds every section to it
 */
export const section = <T extends z.ZodType>(defaults: z.output<T>, make: () => T) =>
  z.lazy(make).default(defaults as z.util.NoUndefined<z.output<T>>)
