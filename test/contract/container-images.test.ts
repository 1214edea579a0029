import { execFileSync } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createEngine, labelled, removeContainer } from '#server/executors/container/engine.ts'
import type { SandboxErrorCode } from '#server/executors/index.ts'
import {
  containerSettings,
  ENGINE,
  LAB_IMAGE,
  openContainerExecutor,
  openWorkshop,
  runIn,
  type Workshop,
  whyNoContainers,
} from './executor-workshop.ts'

const missing = await whyNoContainers()
const mkimage = fileURLToPath(new URL('../lab/kube/mkimage', import.meta.url))
const socket = ENGINE ?? ''
const engine = createEngine(socket)
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find(path => existsSync(path))
const NAMES = { empty: 'localhost/skein-no-shell:1', foreign: 'localhost/skein-foreign:1', bare: 'localhost/skein-no-git:1' }
const OWN = 'localhost/skein-own:1'

function load(archive: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-tar' }
    const outgoing = request({ socketPath: socket, path: '/v1.41/images/load', method: 'POST', headers }, response => {
      resolve(text(response))
    })
    outgoing.once('error', reject)
    createReadStream(archive).pipe(outgoing)
  })
}

const Created = z.object({ Id: z.string() })
const Listed = z.array(z.object({ Id: z.string() }))

describe.skipIf(missing)('images that containers start from', () => {
  let workshop: Workshop
  let directory: string
  const nodeId = `images-${process.pid}`

  beforeAll(async () => {
    workshop = await openWorkshop(openContainerExecutor({ nodeId }))
    directory = await mkdtemp(join(tmpdir(), 'skein-images-'))
    const make = async (name: string, root: string, env: Record<string, string> = {}) => {
      const archive = join(directory, `${root}.tar`)
      execFileSync(mkimage, [join(directory, root), name, archive, '/bin/sh'], { env: { ...process.env, ...env } })
      await load(archive)
    }
    await mkdir(join(directory, 'empty'))
    await make(NAMES.empty, 'empty')
    await mkdir(join(directory, 'foreign'))
    await make(NAMES.foreign, 'foreign', { MKIMAGE_ARCH: process.arch === 'arm64' ? 'amd64' : 'arm64' })
    if (busybox) {
      await mkdir(join(directory, 'bare/bin'), { recursive: true })
      await copyFile(busybox, join(directory, 'bare/bin/busybox'))
      await symlink('busybox', join(directory, 'bare/bin/sh'))
      await make(NAMES.bare, 'bare')
    }
    // One that would run as root, with a volume and a health check of its own.
    const { Id } = await engine.ask(Created, 'POST', '/containers/create', { body: { Image: LAB_IMAGE, Cmd: ['true'] } })
    const changes = ['USER root', 'VOLUME /data', 'ENV OF_THE_IMAGE=here'].map(change => `changes=${encodeURIComponent(change)}`)
    await engine.ask(z.unknown(), 'POST', `/commit?container=${Id}&repo=localhost/skein-own&tag=1&${changes.join('&')}`, {
      body: {},
    })
    await removeContainer(engine, Id)
  })
  afterAll(async () => {
    for (const name of [...Object.values(NAMES), OWN])
      await engine.ask(z.unknown(), 'DELETE', `/images/${encodeURIComponent(name)}?force=true`).catch(() => {})
    await workshop[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  const left = () => engine.ask(Listed, 'GET', `/containers/json?all=true&${labelled([`skein.node=${nodeId}`])}`)

  test.each<[what: string, image: string, code: SandboxErrorCode, words: RegExp]>([
    [
      'that is not there',
      'localhost/skein-missing:1',
      'image_unavailable',
      /no image localhost\/skein-missing:1 on this machine/,
    ],
    ['without a shell', NAMES.empty, 'image_unsuitable', /no shell that runs/],
    ['for another processor', NAMES.foreign, 'image_unsuitable', /is for linux\/(arm64|amd64), this machine runs/],
    ['without git', NAMES.bare, 'image_unsuitable', /has no Git/],
  ])('one %s is refused by name, and leaves nothing', async (_, image, code, words) => {
    if (image === NAMES.bare && !busybox) return console.warn('Skipped: no static busybox')
    const spec = await workshop.spec({ image })
    await expect(workshop.executor.prepare(spec)).rejects.toMatchObject({ code, message: expect.stringMatching(words) })
    expect(existsSync(spec.scratch)).toBe(false)
    expect(await left()).toEqual([])
  })

  test('one that cannot be pulled is named, with the reason', async () => {
    const pulling = openContainerExecutor({ nodeId, settings: { ...containerSettings(), pull: 'missing' } })
    const notes: string[] = []
    const spec = await workshop.spec({ image: '127.0.0.1:9/skein/none:1', note: text => notes.push(text) })
    await expect(pulling.prepare(spec)).rejects.toMatchObject({
      code: 'image_unavailable',
      message: expect.stringMatching(/^The image 127\.0\.0\.1:9\/skein\/none:1 cannot be pulled: ./),
    })
    expect(notes).toContain('Pulling the image 127.0.0.1:9/skein/none:1')
    expect(await left()).toEqual([])
  })

  test('one that names root and a volume gets neither', async () => {
    const sandbox = await workshop.sandbox({ image: OWN })
    const { stdout } = await runIn(sandbox, [
      'sh',
      '-c',
      'id -u; grep " /data " /proc/mounts | cut -d" " -f3; touch /data/x && echo writable',
    ])
    const [uid, kind, writable] = stdout.split('\n')
    expect(Number(uid)).toBeGreaterThan(0)
    expect([kind, writable]).toEqual(['tmpfs', 'writable'])
    const [workload] = await workshop.executor.workloads()
    expect(workload).toMatchObject({ image: OWN, state: 'running', isolation: 'container' })
    await sandbox.cleanup()
    expect(await left()).toEqual([])
  })

  test('a level of isolation that no runtime gives is refused before anything is made', async () => {
    const { levels } = await workshop.executor.probe()
    if (levels?.includes('vm')) return console.warn('Skipped: this engine makes virtual machines')
    await expect(workshop.executor.prepare(await workshop.spec({ level: 'vm' }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no runtime that makes virtual machines'),
    })
  })
})
