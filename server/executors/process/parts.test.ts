import { execFile } from 'node:child_process'
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { diskUsage } from '../disk.ts'
import { exitOf } from '../exit.ts'
import { limitCommand, parseHardLimits, shellLimitCommand, shellLimits } from '../rlimits.ts'
import { bubblewrapOptions, chooseWorkDir, encodeOptions } from './bubblewrap.ts'
import { findTools, installCommand, probeBubblewrap } from './probe.ts'
import { programExists } from './program-path.ts'
import { seatbeltProfile } from './seatbelt.ts'

const limits = { memoryBytes: 2 ** 20, cpuSeconds: 60, processes: 10, fileBytes: 1000, diskBytes: 1, logBytes: 1 }
const unlimited = Number.POSITIVE_INFINITY
const hard = { core: unlimited, cpu: unlimited, fsize: unlimited, nofile: unlimited, nproc: unlimited, data: unlimited }

describe('the view of a sandbox', () => {
  const system = {
    paths: [{ path: '/usr' }, { path: '/bin', linkTo: 'usr/bin' }],
    etc: [],
    etcFiles: new Map(),
    masked: ['/proc/keys'],
  }
  const view = {
    system,
    readOnly: ['/opt/tool'],
    etc: '/e',
    scratch: '/s',
    workTree: '/w',
    workDir: '/work',
    gateway: null,
    env: { A: 'b=c' },
  }

  test('mounts parents first and the work tree last, and seals the root', () => {
    const options = bubblewrapOptions(view).join(' ')
    expect(options).toBe(
      '--unshare-all --unshare-user --die-with-parent --new-session --cap-drop ALL --uid 1000 --gid 1000 --hostname sandbox ' +
        '--ro-bind /usr /usr --symlink usr/bin /bin --ro-bind /e /etc ' +
        '--proc /proc --ro-bind /dev/null /proc/keys --remount-ro /proc --dev /dev --size 67108864 --tmpfs /dev/shm --remount-ro /dev ' +
        '--bind /s/tmp /tmp --bind /s/home /home/agent --symlink ../tmp /var/tmp --symlink ../run /var/run --ro-bind /opt/tool /opt/tool ' +
        '--bind /w /work --remount-ro / --chdir /work --clearenv --setenv A b=c',
    )
  })

  test('has the gateway only where there is one', () => {
    expect(bubblewrapOptions(view)).not.toContain('/run/skein/gateway.sock')
    const options = bubblewrapOptions({ ...view, gateway: { socket: '/g', relay: '/r' } }).join(' ')
    expect(options).toContain('--ro-bind /g /run/skein/gateway.sock --ro-bind /r /run/skein/relay.mjs')
  })

  test('an option with a NUL byte, which would become two, is refused', () => {
    expect(encodeOptions(['--setenv', 'A', 'b'])).toEqual(Buffer.from('--setenv\0A\0b\0'))
    expect(() => encodeOptions(['--setenv', 'A', 'b\0--share-net'])).toThrow(TypeError)
  })

  test('the work tree gives way to what must be shown at its place', () => {
    expect(chooseWorkDir(['/usr', '/workshop/tool'])).toBe('/work')
    expect(chooseWorkDir(['/work/tool'])).toBe('/work-tree')
    expect(chooseWorkDir(['/work'])).toBe('/work-tree')
  })
})

test('how a process ended', () => {
  expect(exitOf(0, null)).toEqual({ reason: 'exit', code: 0 })
  expect(exitOf(128, null)).toEqual({ reason: 'exit', code: 128 })
  expect(exitOf(255, null)).toEqual({ reason: 'exit', code: 255 })
  expect(exitOf(143, null)).toEqual({ reason: 'signal', signal: 'SIGTERM' })
  expect(exitOf(null, 'SIGKILL')).toEqual({ reason: 'signal', signal: 'SIGKILL' })
  expect(exitOf(152, null)).toEqual({ reason: 'limit', limit: 'cpu' })
  expect(exitOf(null, 'SIGXFSZ')).toEqual({ reason: 'limit', limit: 'file' })
})

describe('rlimits', () => {
  test('stand in for a control group where there is none', () => {
    expect(limitCommand('/p', limits, hard)).toEqual([
      '/p',
      '--core=0:0',
      '--cpu=60:65',
      '--fsize=1000:1000',
      '--nofile=65536:65536',
      '--nproc=10:10',
      `--data=${641 * 2 ** 20}:${641 * 2 ** 20}`,
      '--',
    ])
  })
  test('are never above what this process may ask for', () => {
    const lower = { ...hard, cpu: 62, nofile: 1024 }
    expect(limitCommand('/p', limits, lower)).toEqual(expect.arrayContaining(['--cpu=60:62', '--nofile=1024:1024']))
    expect(shellLimits(limits, lower)).toContain('ulimit -S -t 60 && ulimit -H -t 62')
  })
  test('are read from /proc', () => {
    const text =
      'Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            unlimited            seconds   \nMax open files            1024                 20000                files     \n'
    expect(parseHardLimits(text)).toEqual({ ...hard, nofile: 20000 })
  })
  test('by a shell are those of the kernel, a file size rounded up to its blocks', async () => {
    const [sh = '', ...args] = shellLimitCommand(limits)
    const { stdout } = await promisify(execFile)(sh, [...args, 'cat', '/proc/self/limits'])
    expect(parseHardLimits(stdout)).toMatchObject({ core: 0, cpu: 65, fsize: 1024 })
    expect(stdout).toMatch(/^Max cpu time +60 +65 /m)
  })
})

test('disk usage counts blocks, once for each file, and does not follow links', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-disk-'))
  await mkdir(join(directory, 'sub'))
  await writeFile(join(directory, 'sub', 'big'), Buffer.alloc(100_000))
  const before = await diskUsage([directory])
  await link(join(directory, 'sub', 'big'), join(directory, 'again'))
  await symlink('/usr', join(directory, 'link'))
  const after = await diskUsage([directory, join(directory, 'missing')])
  await rm(directory, { recursive: true })
  expect(before.bytes).toBeGreaterThanOrEqual(100_000)
  expect(after.complete).toBe(true)
  expect(after.bytes - before.bytes).toBeLessThan(10_000)
})

test('a program is looked for as the inside would find it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-path-'))
  await writeFile(join(directory, 'tool'), '')
  const search = { path: '/usr/bin:/bin', workDir: '/work', places: [{ inside: '/work', host: directory }] }
  for (const name of ['sh', '/bin/sh', './tool', '/work/tool', '../work/tool'])
    expect(programExists(name, search), name).toBe(true)
  for (const name of ['', 'tool', './missing', '/work/missing', '/nowhere']) expect(programExists(name, search), name).toBe(false)
  await rm(directory, { recursive: true })
})

describe('without what it takes', () => {
  test('the probe says what to install', async () => {
    expect(await probeBubblewrap({ bubblewrap: null, prlimit: '/p' }, null)).toMatchObject({
      available: false,
      isolation: 'none',
      remedy: expect.stringContaining('bubblewrap'),
    })
    expect(findTools('/nowhere').prlimit === null || findTools('/nowhere').prlimit?.startsWith('/')).toBe(true)
    expect(installCommand('bubblewrap', file => file === '/usr/bin/dnf')).toBe('sudo dnf install bubblewrap')
    expect(installCommand('bubblewrap', file => file === '/usr/bin/pacman')).toBe('sudo pacman -S bubblewrap')
    expect(installCommand('bubblewrap', file => file === '/sbin/apk')).toBe('sudo apk add bubblewrap')
    expect(installCommand('bubblewrap', () => false)).toBe('Install the package bubblewrap')
  })

  test('a bubblewrap that is there and may not work is found out by trying', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skein-probe-'))
    const forbidden = join(directory, 'bwrap')
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.9.0 && exit\necho "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n'
    await writeFile(forbidden, script, { mode: 0o755 })
    const probe = await probeBubblewrap({ bubblewrap: forbidden, prlimit: '/p' }, null)
    await rm(directory, { recursive: true })
    expect(probe).toMatchObject({
      available: false,
      version: '0.9.0',
      detail: expect.stringContaining('setting up uid map: Permission denied'),
    })
    expect(probe.remedy).toBeTruthy()
  })
})

test('the profile for macOS allows what is named and nothing else', () => {
  const profile = seatbeltProfile({ writable: ['/w', '/s "q"\\'], readOnly: ['/opt/node'], relayPort: 4000 })
  expect(profile).toMatchInlineSnapshot(`
    "(version 1)
    (deny default)
    (allow process-fork process-exec)
    (allow signal (target same-sandbox))
    (allow sysctl-read)
    (allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))
    (allow file-read-metadata)
    (allow file-read* (literal "/") (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random") (literal "/dev/urandom") (literal "/dev/tty") (literal "/dev/dtracehelper") (subpath "/usr") (subpath "/bin") (subpath "/sbin") (subpath "/System") (subpath "/Library/Apple") (subpath "/Library/Developer/CommandLineTools") (subpath "/opt/homebrew") (subpath "/private/etc/ssl") (subpath "/opt/node"))
    (allow file-write-data (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random") (literal "/dev/urandom") (literal "/dev/tty") (literal "/dev/dtracehelper"))
    (allow file-read* file-write* (subpath "/w") (subpath "/s \\"q\\"\\\\"))
    (allow network-outbound (remote ip "localhost:4000"))
    "
  `)
  expect(seatbeltProfile({ writable: [], readOnly: [], relayPort: null })).not.toContain('network')
  expect(() => seatbeltProfile({ writable: ['/w\n(allow default)'], readOnly: [], relayPort: null })).toThrow(TypeError)
})
