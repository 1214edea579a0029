import * as z from 'zod'
import { ImageReference } from './image.ts'
import { section } from './section.ts'

/** When an image is asked for where it comes from. */
export const ImagePull = z.enum(['missing', 'always', 'never']).meta({ id: 'ImagePull' })
export type ImagePull = z.infer<typeof ImagePull>

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

const HOME = { address: 'auto', port: 0 }
const DEFAULTS = {
  image: 'node:24',
  pull: 'missing' as const,
  imageBytes: 20 * 2 ** 30,
  tree: 'auto' as const,
  network: 'skein-agents',
  home: HOME,
}

/** How sandboxes are made of containers. */
export const ContainerConfig = section(DEFAULTS, () => {
  const runtime = z.string().regex(NAME, 'must be the name of a runtime, such as krun')
  return z.strictObject({
    socket: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Of Docker or Podman, or tcp://HOST:PORT; `off` does without. Default: `DOCKER_HOST`, the current context of docker, or where it usually is.',
      ),
    image: ImageReference.default(DEFAULTS.image).describe(
      'What jobs run in that name no image: with /bin/sh, git, and Node.js 20.12 or later unless that of this machine runs in it.',
    ),
    pull: ImagePull.default(DEFAULTS.pull),
    imageBytes: z
      .int()
      .min(0)
      .default(DEFAULTS.imageBytes)
      .describe('Images that this node pulled are removed above this, the longest unused first. Others never are.'),
    node: z.string().min(1).optional().describe('Node.js of this machine for images without one; default: that of the server.'),
    tree: z
      .enum(['auto', 'mount', 'send'])
      .default(DEFAULTS.tree)
      .describe(
        'How work trees come into containers: mounted, or sent where the engine sees nothing of this server, as behind tcp:// or outside of its container.',
      ),
    network: z
      .string()
      .regex(NAME, 'must be the name of a network')
      .default(DEFAULTS.network)
      .describe(
        'Internal network of the engine for containers that are sent what they need; their runners dial this node there.',
      ),
    home: section(HOME, () =>
      z.strictObject({
        address: z
          .string()
          .min(1)
          .max(253)
          .default(HOME.address)
          .describe('Where containers of that network reach this node: an address or a name; `auto` finds it out.'),
        port: z
          .int()
          .min(0)
          .max(65_535)
          .default(HOME.port)
          .describe('Where it listens for their runners; 0 takes any that is free.'),
      }),
    ),
    runtime: runtime.optional().describe('Of the engine, for all sandboxes; default: its own.'),
    vmRuntime: runtime
      .optional()
      .describe('For jobs that ask for isolation `vm`; default: krun or Kata where the engine has it.'),
  })
})
export type ContainerConfig = z.infer<typeof ContainerConfig>
