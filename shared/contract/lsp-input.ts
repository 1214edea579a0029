import * as z from 'zod'
import { cursorNumber, subscriptionNumber, Topic } from './stream.ts'

/** `initializationOptions` of `skein lsp`. What it does not know it passes over: the client may be newer. */
export const LspInitialization = z
  .object({
    server: z
      .object({
        address: z
          .url({ protocol: /^https?$/ })
          .nullable()
          .default(null)
          .describe('A headless node; null: the one of this user.'),
        token: z.string().min(1).nullable().default(null).describe('Token for that address; null: that of the data directory.'),
        dataDir: z.string().min(1).nullable().default(null).describe('Default: as for `skein serve`.'),
        config: z.string().min(1).nullable().default(null).describe('Settings file; default: as for `skein serve`.'),
        start: z.boolean().default(true).describe('Start the orchestrator where none runs.'),
      })
      .prefault({}),
  })
  .prefault({})
/** As the client may give it. */
export type LspInitialization = z.input<typeof LspInitialization>

export const LspCall = z.strictObject({
  operation: z.string().max(100),
  input: z
    .strictObject({
      params: z.record(z.string(), z.unknown()).optional(),
      query: z.record(z.string(), z.unknown()).optional(),
      headers: z.record(z.string(), z.unknown()).optional(),
      body: z.unknown().optional(),
    })
    .optional(),
  pieces: z.int().optional(),
})

export const LspSubscribe = z.strictObject({
  subscription: subscriptionNumber,
  topic: Topic,
  cursor: cursorNumber.optional(),
})
export const LspUnsubscribe = z.strictObject({ subscription: subscriptionNumber })
