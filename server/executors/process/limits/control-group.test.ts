import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findControlGroups } from './control-group.ts'

const limits = { memoryBytes: 1000, cpuSeconds: 1, processes: 10, fileBytes: 1, diskBytes: 1, logBytes: 1 }

// A directory that looks like a hierarchy. What the kernel does with it is tested in test/security, where it is writable.
describe('version 2', () => {
  let root: string
  const membership = '0::/user.slice/skein.service\n'
  const own = () => join(root, 'user.slice/skein.service')
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'skein-cgroup-'))
    await mkdir(own(), { recursive: true })
    await writeFile(join(root, 'cgroup.controllers'), 'cpu memory pids')
  })
  afterEach(() => rm(root, { recursive: true }))

  test('moves this process into a leaf, turns the controllers on, and limits each group', async () => {
    const groups = findControlGroups({ root, membership })
    expect(groups?.version).toBe('v2')
    expect(await readFile(join(own(), 'skein-server/cgroup.procs'), 'utf8')).toBe(String(process.pid))
    expect(await readFile(join(own(), 'cgroup.subtree_control'), 'utf8')).toBe('+cpu')
    const group = groups?.create('skein-a', limits)
    expect(group?.joinFiles).toEqual([join(own(), 'skein-a/cgroup.procs')])
    expect(await readFile(join(own(), 'skein-a/memory.max'), 'utf8')).toBe('1000')
    expect(await readFile(join(own(), 'skein-a/pids.max'), 'utf8')).toBe('13')
  })

  test('reads what the kernel counts', async () => {
    const group = findControlGroups({ root, membership })?.create('skein-a', limits)
    const write = (file: string, text: string) => writeFile(join(own(), 'skein-a', file), text)
    await write('memory.events', 'low 0\nhigh 3\nmax 5\noom 2\noom_kill 7\noom_group_kill 0\n')
    await write('cpu.stat', 'usage_usec 1500000\nuser_usec 1\n')
    await write('memory.current', '4096\n')
    await write('pids.current', '3\n')
    expect(group?.oomKills()).toBe(7)
    expect(group?.usage()).toEqual({ cpuMs: 1500, memoryBytes: 4096, processes: 3 })
  })

  test('an empty group serves the next sandbox under the same limits, its counters from zero, until all is closed', async () => {
    const groups = findControlGroups({ root, membership })
    const write = (name: string, file: string, text: string) => writeFile(join(own(), name, file), text)
    const first = groups?.create('skein-a', limits)
    await write('skein-a', 'cgroup.procs', '')
    await write('skein-a', 'cpu.stat', 'usage_usec 5000\n')
    await first?.remove()
    const other = groups?.create('skein-b', { ...limits, processes: 11 })
    expect(other?.joinFiles).toEqual([join(own(), 'skein-b/cgroup.procs')])
    const next = groups?.create('skein-c', limits)
    expect(next?.joinFiles).toEqual([join(own(), 'skein-a/cgroup.procs')])
    await write('skein-a', 'cpu.stat', 'usage_usec 7000\n')
    expect(next?.usage().cpuMs).toBe(2)
    await groups?.removeLeftovers('skein-')
    expect(existsSync(join(own(), 'skein-a'))).toBe(true)
  })

  test('a group that is given back again is not given to two', async () => {
    const groups = findControlGroups({ root, membership })
    const first = groups?.create('skein-a', limits)
    await writeFile(join(own(), 'skein-a', 'cgroup.procs'), '')
    await first?.remove()
    await first?.remove()
    const [next, other] = [groups?.create('skein-b', limits), groups?.create('skein-c', limits)]
    expect(next?.joinFiles).toEqual([join(own(), 'skein-a/cgroup.procs')])
    expect(other?.joinFiles).toEqual([join(own(), 'skein-c/cgroup.procs')])
  })

  test('is left alone where others are in the group or it is not ours', async () => {
    await mkdir(join(own(), 'cgroup.subtree_control'))
    expect(findControlGroups({ root, membership })).toBeNull()
    expect(findControlGroups({ root, membership: '0::/elsewhere\n' })).toBeNull()
  })

  test('leftovers of an earlier run are removed, living groups and those of others are not', async () => {
    const groups = findControlGroups({ root, membership })
    await mkdir(join(own(), 'skein-node-old'))
    await mkdir(join(own(), 'skein-other-old'))
    groups?.create('skein-node-living', limits)
    await groups?.removeLeftovers('skein-node-')
    expect(existsSync(join(own(), 'skein-node-old'))).toBe(false)
    expect(existsSync(join(own(), 'skein-other-old'))).toBe(true)
    expect(existsSync(join(own(), 'skein-node-living'))).toBe(true)
  })
})

test('no hierarchy, no groups', () => {
  expect(findControlGroups({ root: '/nowhere', membership: '' })).toBeNull()
  expect(findControlGroups({ root: '/nowhere', membership: '4:memory:/x\n8:pids:/\n0::/\n' })).toBeNull()
})
