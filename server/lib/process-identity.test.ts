import { spawn } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { identify, isAlive, kill, parseStat } from './process-identity.ts'

describe.skipIf(process.platform === 'win32')('a process', () => {
  test('is known by its id and start time, lives, and can be ended', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    const exit = new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)))
    const identity = identify(child.pid ?? 0)
    expect(identity).not.toBeNull()
    if (!identity) return
    expect(isAlive(identity)).toBe(true)
    expect(kill(identity, 'SIGTERM')).toBe(true)
    expect(await exit).toBe('SIGTERM')
    expect(isAlive(identity)).toBe(false)
    expect(kill(identity, 'SIGTERM')).toBe(false)
  })

  test('with the same id and another start time is left alone', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    const exit = new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)))
    expect(kill({ pid: child.pid ?? 0, startTime: 'another boot:1' }, 'SIGTERM')).toBe(false)
    child.kill('SIGKILL')
    expect(await exit).toBe('SIGKILL')
  })

  test('with id 1, 0 or a negative one is never signalled', () => {
    const init = identify(1)
    if (init) expect(kill(init, 'SIGTERM')).toBe(false)
    for (const pid of [0, -1]) expect(kill({ pid, startTime: '' }, 'SIGTERM')).toBe(false)
  })
})

test('a name with spaces and parentheses does not shift the fields', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 15 }), name => {
      const numbers = Array.from({ length: 49 }, (_, index) => index + 4)
      expect(parseStat(`42 (${name}) S ${numbers.join(' ')}\n`)).toEqual({
        state: 'S',
        parent: 4,
        cpuTicks: 14 + 15 + 16 + 17,
        startTicks: 22,
        residentPages: 24,
      })
    }),
  )
})

test('what is no stat line is null', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      fc.pre(text.split(' ').length < 10)
      expect(parseStat(text)).toBeNull()
    }),
  )
})
