import * as z from 'zod'
import { ImageReference } from './image.ts'

/** When an image is asked for where it comes from. */
export const ImagePull = z.enum(['missing', 'always', 'never']).meta({ id: 'ImagePull' })
export type ImagePull = z.infer<typeof ImagePull>

const Runtime = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'must be the name of a runtime, such as krun')

/** How sandboxes are made of containers. */
export const ContainerConfig = z
  .strictObject({
    socket: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Of Docker or Podman; `off` does without. Default: `DOCKER_HOST`, the current context of docker, or where it usually is.',
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
    runtime: Runtime.optional().describe('Of the engine, for all sandboxes; default: its own.'),
    vmRuntime: Runtime.optional().describe(
      'For jobs that ask for isolation `vm`; default: krun or Kata where the engine has it.',
    ),
  })
  .meta({ id: 'ContainerConfig' })
export type ContainerConfig = z.infer<typeof ContainerConfig>
