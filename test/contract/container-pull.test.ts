import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEngine, Nothing } from '#server/executors/container/engine.ts'
import { haveImage } from '#server/executors/container/image.ts'
import { hasImage } from '#server/placement/index.ts'
import { ENGINE, openContainerExecutor, whyNoContainers } from './executor-workshop.ts'
import { openRegistry, type Registry } from './registry.ts'

const missing = await whyNoContainers()
const engine = createEngine(ENGINE ?? '')

describe.skipIf(missing)('images from a registry', () => {
  let directory: string
  let registry: Registry
  const image = () => `${registry.host}/skein/pulled:1`
  const forget = () => engine.ask(Nothing, 'DELETE', `/images/${encodeURIComponent(image())}?force=true`).catch(() => {})
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'skein-pull-'))
    await mkdir(join(directory, 'root'))
    await writeFile(join(directory, 'root/hello'), `of ${process.pid}\n`)
    execFileSync('tar', ['-C', join(directory, 'root'), '-cf', join(directory, 'layer.tar'), '.'])
    registry = await openRegistry(join(directory, 'layer.tar'))
  })
  afterAll(async () => {
    await forget()
    await registry[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  test('one that is missing is pulled, which is told as it goes, and its digest is that of the registry', async () => {
    const notes: string[] = []
    const found = await haveImage(engine, image(), 'missing', { note: text => notes.push(text) })
    expect(found).toMatchObject({ name: image(), digest: registry.digest })
    expect(notes[0]).toBe(`Pulling the image ${image()}`)
    expect(notes.at(-1)).toMatch(/: (\d+) of \1 layers$/)
    expect(new Set(notes).size).toBe(notes.length)
  })

  test('one that is there is not asked for again, unless that is set; by its digest it is the same', async () => {
    const before = registry.asked()
    const found = await haveImage(engine, image(), 'missing', {})
    expect(registry.asked()).toBe(before)
    expect(await haveImage(engine, image(), 'always', {})).toEqual(found)
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
    await forget()
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
