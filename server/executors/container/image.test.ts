import { expect, it } from 'vitest'
import { type Engine, EngineError } from './engine.ts'
import { haveImage, usedImage } from './image.ts'

const digest = (digit: string) => `sha256:${digit.repeat(64)}`

/** An engine that has an image from the start, or once it has pulled it. */
function engineWith(image: object | null, lines: readonly object[] = []): Engine {
  const Architecture = process.arch === 'x64' ? 'amd64' : process.arch
  let isThere = lines.length === 0
  return {
    async ask(schema: { parse(value: unknown): unknown }) {
      if (!isThere) throw new EngineError(404, 'no such image')
      return schema.parse({ Id: 'f'.repeat(64), Os: 'linux', Architecture, ...image })
    },
    async *lines() {
      yield* lines
      isThere = true
    },
  } as unknown as Engine
}
const used = async (name: string, RepoDigests: string[] | null) =>
  usedImage(await haveImage(engineWith({ RepoDigests }), name, 'never', {}))

it('is recorded by the digest of the registry it was asked for from, else by its own number', async () => {
  const known = [`ghcr.io/you/node@${digest('1')}`, `docker.io/library/node@${digest('2')}`]
  expect(await used('node:24', [`docker.io/library/node@${digest('2')}`])).toEqual({ name: 'node:24', digest: digest('2') })
  expect(await used('ghcr.io/you/node:24', known.toReversed())).toMatchObject({ digest: digest('1') })
  expect(await used('docker.io/library/node', known)).toMatchObject({ digest: digest('2') })
  expect(await used('localhost:5000/other:1', known)).toMatchObject({ digest: digest('1') })
  expect(await used('made-here', null)).toEqual({ name: 'made-here', digest: digest('f') })
})

it('tells how far a pull is, in layers and bytes, and each state once', async () => {
  const notes: string[] = []
  const coming = (id: string, current: number) => ({ id, status: 'Downloading', progressDetail: { current, total: 9e9 } })
  const lines = [
    { id: '24', status: 'Pulling from library/node' },
    { id: 'a', status: 'Pulling fs layer', progressDetail: {} },
    { id: 'b', status: 'Already exists' },
    coming('a', 40 * 2 ** 20),
    coming('a', 40 * 2 ** 20),
    { id: 'a', status: 'Extracting', progressDetail: { current: 80 * 2 ** 20 } },
    { id: 'a', status: 'Pull complete' },
    { status: 'Status: Downloaded newer image for node:24' },
  ]
  await haveImage(engineWith({}, lines), 'node:24', 'missing', { note: text => notes.push(text) })
  expect(notes).toEqual([
    'Pulling the image node:24',
    'Pulling the image node:24: 0 of 1 layers',
    'Pulling the image node:24: 1 of 2 layers',
    'Pulling the image node:24: 1 of 2 layers, 40 MiB',
    'Pulling the image node:24: 2 of 2 layers, 40 MiB',
  ])
})
