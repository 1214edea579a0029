import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Limits } from '#shared/model/index.ts'
import {
  LIMITS,
  openContainerExecutor,
  openWorkshop,
  runIn,
  type Workshop,
  whyNoContainers,
} from '../contract/executor-workshop.ts'

const MIB = 2 ** 20
const missing = await whyNoContainers()
const shell = (script: string) => ['sh', '-c', script]

describe.skipIf(missing)('limits of a container', () => {
  let workshop: Workshop
  beforeAll(async () => {
    workshop = await openWorkshop(openContainerExecutor())
  })
  afterAll(() => workshop[Symbol.asyncDispose]())
  const run = async (argv: string[], limits: Partial<Limits>) =>
    runIn(await workshop.sandbox({ limits: { ...LIMITS, ...limits } }), argv)

  test('memory of all processes together: the kernel ends what took too much, and the runner says so', async () => {
    const allocate = ['perl', '-e', `my $all = "x" x ${512 * MIB}; print "lived\\n"`]
    expect(await run(allocate, { memoryBytes: 192 * MIB })).toMatchObject({
      stdout: '',
      exit: { reason: 'limit', limit: 'memory' },
    })
  })

  test('what is written to /tmp counts as memory, and is less than all of it', async () => {
    const { stderr, exit } = await run(shell('exec head -c 400000000 /dev/zero > $TMPDIR/big'), { memoryBytes: 192 * MIB })
    expect(exit).toEqual({ reason: 'exit', code: 1 })
    expect(stderr).toContain('No space left')
  })

  test('processor time', async () => {
    expect((await run(shell('while :; do :; done'), { cpuSeconds: 1 })).exit).toEqual({ reason: 'limit', limit: 'cpu' })
  })

  test('size of a file', async () => {
    const { exit } = await run(shell('exec head -c 2000000 /dev/zero > big'), { fileBytes: 1_000_000 })
    expect(exit).toEqual({ reason: 'limit', limit: 'file' })
  })

  test.each(['.', '$HOME'])('disk: %s', async place => {
    const script = `head -c 4000000 /dev/zero > ${place}/one; head -c 4000000 /dev/zero > ${place}/two; exec sleep 1000`
    expect((await run(shell(script), { diskBytes: 6_000_000 })).exit).toEqual({ reason: 'limit', limit: 'disk' })
  })
})
