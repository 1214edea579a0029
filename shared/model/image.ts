import * as z from 'zod'

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const HOST = '(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)'
const REFERENCE = new RegExp(
  `^(?:${HOST}(?::[0-9]{1,5})?/)?${COMPONENT}(?:/${COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
)

/** Name of an image as registries know it: `[host[:port]/]path[:tag][@sha256:digest]`. Nothing in it means anything to a shell. */
export const ImageReference = z
  .string()
  .min(1)
  .max(512)
  .regex(REFERENCE, 'must be the name of an image, such as node:24 or ghcr.io/you/tools@sha256:…')
  .meta({ id: 'ImageReference' })
export type ImageReference = z.infer<typeof ImageReference>

/** A name with the tag that it has where it says none, unless a digest says which it is. */
export const withTag = (image: string): string => (image.includes('@') || /:[^:/]+$/.test(image) ? image : `${image}:latest`)

/** An image that something ran in. */
export const UsedImage = z
  .strictObject({
    name: z.string().max(512).describe('As it was asked for.'),
    digest: z
      .string()
      .regex(/^[a-z0-9]{1,20}:[0-9a-f]{32,128}$/)
      .nullable()
      .describe('By which a registry knows it; of one that no registry has, by which the engine that has it does.'),
  })
  .meta({ id: 'UsedImage' })
export type UsedImage = z.infer<typeof UsedImage>
