import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContainer, createEngine, Nothing, removeContainer } from '#server/executors/container/engine.ts'
import { haveImage, type Image } from '#server/executors/container/image.ts'
import { createPulledImages, type PulledImages } from '#server/executors/container/pulled-images.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasImage } from '#server/placement/index.ts'
import { ENGINE, openContainerExecutor, whyNoContainers } from './executor-workshop.ts'
import { openRegistry, type Registry } from './registry.ts'

const missing = await whyNoContainers()
const engine = createEngine(ENGINE ?? '')

async function forget(name: string): Promise<void> {
  await engine.ask(Nothing, 'DELETE', `/images/${encodeURIComponent(name)}?force=true`).catch(() => {})
}

describe.skipIf(missing)('images from a registry', () => {
  let directory: string
  let registry: Registry
  const image = () => `${registry.host}/skein/pulled:1`
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'skein-pull-'))
    await mkdir(join(directory, 'root'))
    await writeFile(join(directory, 'root/hello'), `of ${process.pid}\n`)
    execFileSync('tar', ['-C', join(directory, 'root'), '-cf', join(directory, 'layer.tar'), '.'])
    registry = await openRegistry(join(directory, 'layer.tar'))
  })
  afterAll(async () => {
    await forget(image())
    await registry[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  test('one that is missing is pulled, which is told as it goes, and its digest is that of the registry', async () => {
    const notes: string[] = []
    const found = await haveImage(engine, image(), 'missing', { note: text => notes.push(text) })
    expect(found).toMatchObject({ name: image(), digest: registry.digest })
    expect(notes[0]).toBe(`Pulling the image ${image()}`)
    expect(notes.at(-1)).toMatch(/: (\d+) of \1 layers(, [\d.]+ \w+)?$/)
    expect(new Set(notes).size).toBe(notes.length)
  })

  test('one that is there is not asked for again, unless that is set; by its digest it is the same', async () => {
    const before = registry.asked()
    const found = await haveImage(engine, image(), 'missing', {})
    expect(registry.asked()).toBe(before)
    expect(await haveImage(engine, image(), 'always', {})).toEqual({ ...found, isNew: false })
    expect(registry.asked()).toBeGreaterThan(before)
    const byDigest = `${registry.host}/skein/pulled@${registry.digest}`
    expect(await haveImage(engine, byDigest, 'never', {})).toMatchObject({ id: found.id, digest: registry.digest })
  })

  test('placement knows that it is there', async () => {
    const capacity = await openContainerExecutor().capacity()
    expect(hasImage(capacity?.images ?? [], image())).toBe(true)
    expect(hasImage(capacity?.images ?? [], `${registry.host}/skein/other:1`)).toBe(false)
  })

  test('one that nobody pulls here is not pulled', async () => {
    await forget(image())
    const before = registry.asked()
    await expect(haveImage(engine, image(), 'never', {})).rejects.toMatchObject({ code: 'image_unavailable' })
    expect(registry.asked()).toBe(before)
  })

  test('the registry says no: the reason is in the failure', async () => {
    await expect(haveImage(engine, `${registry.host}/skein/pulled:none`, 'missing', {})).rejects.toMatchObject({
      code: 'image_unavailable',
      message: expect.stringMatching(/cannot be pulled: .*manifest/i),
    })
  })

  test('whoever asked may stop it', async () => {
    const stopped = new Error('The job was cancelled')
    await expect(haveImage(engine, image(), 'always', { signal: AbortSignal.abort(stopped) })).rejects.toBe(stopped)
  })
})

describe.skipIf(missing)('images that a node pulled', () => {
  test('are removed above the budget, the longest unused first; others, those in use and those of containers stay', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skein-kept-'))
    await using life = new Lifetime()
    life.defer(() => rm(directory, { recursive: true }))
    const pull = async (name: string) => {
      await mkdir(join(directory, name))
      await writeFile(join(directory, name, 'big'), randomBytes(100_000))
      execFileSync('tar', ['-C', join(directory, name), '-cf', join(directory, `${name}.tar`), '.'])
      const registry = await openRegistry(join(directory, `${name}.tar`))
      life.defer(async () => registry[Symbol.asyncDispose]())
      return haveImage(engine, `${registry.host}/skein/${name}:1`, 'missing', {})
    }
    const isThere = (image: Image) =>
      haveImage(engine, image.name, 'never', {}).then(
        () => true,
        () => false,
      )
    const [theirs, first, second, third] = [await pull('theirs'), await pull('first'), await pull('second'), await pull('third')]
    for (const { name } of [theirs, first, second, third]) life.defer(() => forget(name))
    let now = 0
    const file = join(directory, 'made/pulled-images.json')
    const open = (mostBytes: number) => createPulledImages({ file, mostBytes, now: () => ++now })
    const inUse = async (images: PulledImages, image: Image) => {
      images.hold(image.name)
      await images.used({ ...image, isNew: false })
    }

    const images = open(2 * third.bytes + 1000)
    // It was there before, whoever pulled it.
    await images.used({ ...theirs, isNew: false })
    for (const image of [first, second, third]) await images.used(image)
    await inUse(images, first)
    await images.tidy(engine)
    expect(await Promise.all([theirs, first, second, third].map(isThere))).toEqual([true, true, false, true])

    // As after another start, with less room: what is in a container stays, what is in use as well.
    const container = await createContainer(engine, `skein-kept-${process.pid}`, { Image: third.name, Cmd: ['/none'] })
    life.defer(() => removeContainer(engine, container))
    const later = open(0)
    await inUse(later, first)
    await later.tidy(engine)
    expect(await Promise.all([theirs, first, third].map(isThere))).toEqual([true, true, true])
    later.release(first.name)
    await later.tidy(engine)
    expect(await Promise.all([theirs, first, third].map(isThere))).toEqual([true, false, true])
  })
})
