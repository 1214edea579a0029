import * as z from 'zod'

/** A host the sandbox may reach through the job's proxy: `name`, `*.name`, an address (IPv6 in brackets), each with or without `:port`. */
export const AllowedHost = z
  .string()
  .max(260)
  .regex(/^((\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/)
  .meta({ id: 'AllowedHost' })
