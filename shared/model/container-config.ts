import * as z from 'zod'
import { ImageReference } from './image.ts'

/** When an image is asked for where it comes from. */
export const ImagePull = z.enum(['missing', 'always', 'never']).meta({ id: 'ImagePull' })
export type ImagePull = z.infer<typeof ImagePull>

const Runtime = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'must be the name of a runtime, such as krun')

const Network = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'must be the name of a network')

/** How sandboxes are made of containers. */
export const ContainerConfig = z
  .strictObject({
    socket: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Of Docker or Podman, or tcp://HOST:PORT; `off` does without. Default: `DOCKER_HOST`, the current context of docker, or where it usually is.',
      ),
    image: ImageReference.default('node:24').describe(
      'What jobs run in that name no image: with /bin/sh, git, and Node.js 20.12 or later unless that of this machine runs in it.',
    ),
    pull: ImagePull.default('missing'),
    imageBytes: z
      .int()
      .min(0)
      .default(20 * 2 ** 30)
      .describe('Images that this node pulled are removed above this, the longest unused first. Others never are.'),
    node: z.string().min(1).optional().describe('Node.js of this machine for images without one; default: that of the server.'),
    tree: z
      .enum(['auto', 'mount', 'send'])
      .default('auto')
      .describe(
        'How work trees come into containers: mounted, or sent where the engine sees nothing of this server, as behind tcp:// or outside of its container.',
      ),
    network: Network.default('skein-agents').describe(
      'Internal network of the engine for containers that are sent what they need; their runners dial this node there.',
    ),
    home: z
      .strictObject({
        address: z
          .string()
          .min(1)
          .max(253)
          .default('auto')
          .describe('Where containers of that network reach this node: an address or a name; `auto` finds it out.'),
        port: z.int().min(0).max(65_535).default(0).describe('Where it listens for their runners; 0 takes any that is free.'),
      })
      .prefault({}),
    runtime: Runtime.optional().describe('Of the engine, for all sandboxes; default: its own.'),
    vmRuntime: Runtime.optional().describe(
      'For jobs that ask for isolation `vm`; default: krun or Kata where the engine has it.',
    ),
  })
  .meta({ id: 'ContainerConfig' })
export type ContainerConfig = z.infer<typeof ContainerConfig>
