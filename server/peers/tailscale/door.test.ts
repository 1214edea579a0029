import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { doorInListing, findDoor } from './door.ts'

let appDirectory: string
beforeEach(() => {
  appDirectory = mkdtempSync(join(tmpdir(), 'tailscale-app-'))
})
afterEach(() => rmSync(appDirectory, { recursive: true, force: true }))

test.each([
  ['linux', '/var/run/tailscale/tailscaled.sock'],
  ['win32', '\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Tailscale\\tailscaled'],
  ['darwin', '/var/run/tailscaled.socket'],
] as const)('on %s the daemon is at %s', async (platform, socketPath) => {
  expect(await findDoor({ platform, appDirectory })).toEqual({ socketPath })
})

test('a socket that was named is the one', async () => {
  expect(await findDoor({ platform: 'darwin', socket: '/x/sock', appDirectory })).toEqual({ socketPath: '/x/sock' })
})

test('the standalone app of macOS is asked by its port and token', async () => {
  symlinkSync('49200', join(appDirectory, 'ipnport'))
  expect(await findDoor({ platform: 'darwin', appDirectory })).toEqual({ socketPath: '/var/run/tailscaled.socket' })
  writeFileSync(join(appDirectory, 'sameuserproof-49200'), 'abcdef0123\n')
  expect(await findDoor({ platform: 'darwin', appDirectory })).toEqual({ port: 49200, token: 'abcdef0123' })
})

test('the app of the App Store is asked by what it holds open', () => {
  const line = 'n/Users/a/Library/Group Containers/ABC.io.tailscale.ipn.macos/sameuserproof-49300-0123456789abcdef0123'
  expect(doorInListing(`p123\nf12\n${line}\nf13\n`)).toEqual({ port: 49300, token: '0123456789abcdef0123' })
  expect(doorInListing('p123\nn/Users/a/sameuserproof-1-x\n')).toBeNull()
})
