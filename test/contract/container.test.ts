import { chown, link, lstat, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeTree } from '#server/lib/remove-tree.ts'
import { executorContract } from './executor.ts'
import {
  openContainerExecutor,
  openProcessExecutor,
  openWorkshop,
  runIn,
  type Workshop,
  whyNoContainers,
} from './executor-workshop.ts'

const missing = await whyNoContainers()

describe.skipIf(missing)('container', () => {
  executorContract('in a sandbox', { isolation: 'sandbox', executor: () => openContainerExecutor(), node: 'node' })

  describe.skipIf(process.getuid?.() !== 0)('made by a server that is root', () => {
    let workshop: Workshop
    beforeAll(async () => {
      workshop = await openWorkshop(openContainerExecutor())
    })
    afterAll(() => workshop[Symbol.asyncDispose]())

    test('runs programs as somebody else, and gives back the work tree as it got it', async () => {
      const spec = await workshop.spec()
      const inTree = (name: string) => join(spec.workTree, name)
      const outside = join(workshop.directory, 'outside')
      await writeFile(outside, '')
      await chown(outside, 4711, 4711)
      await mkdir(inTree('given'))
      await writeFile(inTree('given/file'), 'before', { mode: 0o600 })
      await link(outside, inTree('second-name'))
      await symlink(outside, inTree('link'))
      const sandbox = await workshop.sandbox(spec)
      const script = [
        'id -u',
        'echo after > given/file',
        'mkdir -p made/deep && touch made/deep/file && chmod 000 made/deep',
        'cp /bin/true root-program && chmod 6755 root-program',
        // Deeper than a path may be long.
        `perl -e 'for (1..60) { my $d = "d" x 100; mkdir $d; chdir $d or die }'`,
      ].join(' && ')
      const { stdout, stderr } = await runIn(sandbox, ['sh', '-c', script])
      expect(stderr).toBe('')
      expect(Number(stdout)).toBeGreaterThan(0)
      await sandbox.end()
      for (const name of ['', 'given', 'given/file', 'made', 'made/deep', 'made/deep/file', 'root-program'])
        expect(await lstat(inTree(name)), name).toMatchObject({ uid: 0, gid: 0 })
      expect((await stat(inTree('root-program'))).mode & 0o6000).toBe(0)
      expect(await stat(outside)).toMatchObject({ uid: 4711, gid: 4711 })

      const { executor, close } = await openProcessExecutor()
      await using other = await openWorkshop(executor)
      const same = await other.spec({ workTree: spec.workTree })
      const { exit } = await runIn(await other.sandbox(same), [
        'sh',
        '-c',
        'echo more >> given/file && chmod 700 made/deep && touch made/deep/more',
      ])
      expect(exit).toEqual({ reason: 'exit', code: 0 })
      await close()
      await removeTree(spec.workTree)
    })
  })
})
