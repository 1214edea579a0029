import * as z from 'zod'

/** Who a node is: the first 130 bits of the SHA-256 of its Ed25519 public key, in base32 (RFC 4648, lower case). */
export const NodeId = z
  .string()
  .regex(/^[a-z2-7]{26}$/)
  .meta({ id: 'NodeId' })
export type NodeId = z.infer<typeof NodeId>
