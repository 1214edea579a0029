import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findControlGroups } from '#server/executors/process/limits/control-group.ts'
import { descendants } from '#server/executors/process-table.ts'
import type { Limits } from '#shared/model/index.ts'
import { LIMITS, openProcessExecutor, openWorkshop, runIn, type Workshop, whyNoSandbox } from '../contract/executor-workshop.ts'

const MIB = 2 ** 20
const shell = (script: string) => ['sh', '-c', script]
const isRoot = process.getuid?.() === 0
const groups = findControlGroups()
const { executor, close } = await openProcessExecutor()
const missing = await whyNoSandbox(executor)
if (!groups) console.warn('Skipped: limits by control group; none can be written here')

/** Prints how many processes could be made. */
const FORK_UNTIL_REFUSED = [
  'perl',
  '-e',
  'my $n = 0; while ($n < 1000) { my $p = fork; last unless defined $p; if ($p == 0) { sleep 1000; exit } $n++ } print $n',
]

describe.skipIf(missing)('limits of a sandbox', () => {
  let workshop: Workshop
  beforeAll(async () => {
    workshop = await openWorkshop(executor)
  })
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]()
    await close()
  })
  const run = async (argv: string[], limits: Partial<Limits>) =>
    runIn(await workshop.sandbox({ limits: { ...LIMITS, ...limits } }), argv)
  const allocate = (bytes: number) => ['perl', '-e', `my $all = "x" x ${bytes}; print "lived\\n"`]

  test.skipIf(!groups)('memory of all processes together', async () => {
    expect(await run(allocate(256 * MIB), { memoryBytes: 64 * MIB })).toMatchObject({
      stdout: '',
      exit: { reason: 'limit', limit: 'memory' },
    })
    expect(await run(allocate(16 * MIB), { memoryBytes: 64 * MIB })).toMatchObject({
      stdout: 'lived\n',
      exit: { reason: 'exit', code: 0 },
    })
    // Neither is over the limit alone.
    const both = shell(`perl -e 'my $x = "x" x ${40 * MIB}; sleep 1000' & exec perl -e 'my $x = "x" x ${40 * MIB}; sleep 1000'`)
    expect((await run(both, { memoryBytes: 64 * MIB })).exit).toEqual({ reason: 'limit', limit: 'memory' })
  })

  test.skipIf(!groups)('a killed child that its program gets over is not the end of the program', async () => {
    const script = shell(`perl -e 'my $x = "x" x ${256 * MIB}' ; echo still here`)
    expect(await run(script, { memoryBytes: 64 * MIB })).toMatchObject({
      stdout: 'still here\n',
      exit: { reason: 'exit', code: 0 },
    })
  })

  test.skipIf(!groups)('a fork bomb stops at the number of processes', async () => {
    const { stdout } = await run(FORK_UNTIL_REFUSED, { processes: 20 })
    expect(Number(stdout)).toBeGreaterThan(10)
    expect(Number(stdout)).toBeLessThanOrEqual(21)
  })

  test('processor time', async () => {
    expect((await run(shell('while :; do :; done'), { cpuSeconds: 1 })).exit).toEqual({ reason: 'limit', limit: 'cpu' })
  })

  test('size of a file', async () => {
    const { exit } = await run(shell('exec head -c 2000000 /dev/zero > big'), { fileBytes: 1_000_000 })
    expect(exit).toEqual({ reason: 'limit', limit: 'file' })
  })

  test.each(['.', '$HOME', '$TMPDIR'])('disk: %s', async place => {
    const { exit } = await run(
      shell(`head -c 4000000 /dev/zero > ${place}/one; head -c 4000000 /dev/zero > ${place}/two; sleep 1000`),
      { diskBytes: 6_000_000 },
    )
    expect(exit).toEqual({ reason: 'limit', limit: 'disk' })
  })

  test('shared memory is a small file system', async () => {
    const { exit } = await run(shell('head -c 100000000 /dev/zero > /dev/shm/big'), {})
    expect(exit).toEqual({ reason: 'exit', code: 1 })
  })

  test('no core is dumped, and no limit can be raised', async () => {
    const { stdout } = await run(shell('ulimit -c; ulimit -c unlimited 2>/dev/null || echo refused'), {})
    expect(stdout).toBe('0\nrefused\n')
  })

  test.skipIf(!groups)('control groups serve one sandbox after another and go with their executor', async () => {
    const nodeId = `groups${process.pid}`
    const made = async () => (await readdir('/sys/fs/cgroup', { recursive: true })).filter(path => path.includes(nodeId))
    const own = await openProcessExecutor({ nodeId })
    await using ownWorkshop = await openWorkshop(own.executor)
    const first = await ownWorkshop.sandbox()
    const groupsOfOne = await made()
    expect(groupsOfOne).not.toEqual([])
    const second = await ownWorkshop.sandbox()
    expect(await made()).toHaveLength(2 * groupsOfOne.length)
    await first.cleanup()
    await second.cleanup()
    const third = await ownWorkshop.sandbox()
    expect((await runIn(third, ['true'])).exit).toEqual({ reason: 'exit', code: 0 })
    expect(await made()).toHaveLength(2 * groupsOfOne.length)
    await third.cleanup()
    await own.close()
    expect(await made()).toEqual([])
  })

  test('a start makes three processes: bubblewrap, the init inside, the program', async () => {
    const sandbox = await workshop.sandbox()
    const program = await sandbox.start({ argv: ['cat'], stdin: 'pipe', network: false })
    await expect.poll(() => descendants(program.identity.pid).length).toBe(2)
    program.stdin?.write('seen')
    await new Promise(resolve => program.stdout.once('data', resolve))
    expect(descendants(program.identity.pid)).toHaveLength(2)
    program.stdin?.end()
    expect(await program.wait()).toEqual({ reason: 'exit', code: 0 })
  })
})

describe.skipIf(missing)('limits without a control group', () => {
  let workshop: Workshop
  let closeOwn: () => Promise<void>
  beforeAll(async () => {
    const opened = await openProcessExecutor({ groups: null })
    closeOwn = opened.close
    workshop = await openWorkshop(opened.executor)
  })
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]()
    await closeOwn()
  })

  test('memory of each process', async () => {
    const sandbox = await workshop.sandbox({ limits: { ...LIMITS, memoryBytes: 64 * MIB } })
    const { stdout, stderr, exit } = await runIn(sandbox, ['perl', '-e', `my $x = "x" x ${1024 * MIB}; print "lived"`])
    expect(stdout).toBe('')
    expect(stderr).toContain('memory')
    expect(exit.reason).not.toBe('limit')
  })

  test('Node.js, which reserves much and uses little, still starts', async () => {
    const sandbox = await workshop.sandbox({ limits: { ...LIMITS, memoryBytes: 64 * MIB } })
    expect((await runIn(sandbox, [process.execPath, '-p', '1 + 1'])).stdout).toBe('2\n')
  })

  // The kernel does not hold RLIMIT_NPROC against root.
  test.skipIf(isRoot)('a fork bomb stops at the number of processes', async () => {
    const sandbox = await workshop.sandbox({ limits: { ...LIMITS, processes: 20 } })
    const { stdout } = await runIn(sandbox, FORK_UNTIL_REFUSED)
    expect(Number(stdout)).toBeGreaterThan(10)
    expect(Number(stdout)).toBeLessThanOrEqual(20)
  })
})
