import { describe, expect, it } from 'vitest'
import type { EventBody, PermissionPolicy } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createPermissions } from './permissions.ts'

const jobId = '0000000000000a'
const options = [
  { id: 'always', name: 'Always', kind: 'allow_always' },
  { id: 'once', name: 'Once', kind: 'allow_once' },
  { id: 'no', name: 'No', kind: 'reject_once' },
] as const
const request = { title: 'Write a file', detail: '', options }

function setup(policy: PermissionPolicy) {
  const clock = virtualClock()
  const events: EventBody[] = []
  const end = new AbortController()
  const permissions = createPermissions({ clock })
  const context = { jobId, epoch: 1, policy, timeoutMs: 1000, signal: end.signal, emit: (event: EventBody) => events.push(event) }
  return { clock, events, end, permissions, ask: () => permissions.ask(request, context) }
}

describe('permission requests', () => {
  it('are answered by policy with the narrowest option, and both sides are events', async () => {
    const allow = setup('allow')
    expect(await allow.ask()).toBe('once')
    expect(allow.events).toMatchObject([
      { type: 'permission.requested', requestId: '1-1' },
      { type: 'permission.answered', optionId: 'once', by: 'policy' },
    ])
    expect(await setup('deny').ask()).toBe('no')
  })

  it('wait for a person, once', async () => {
    const { permissions, ask, events } = setup('ask')
    const answer = ask()
    permissions.answer(jobId, '1-1', 'always')
    expect(await answer).toBe('always')
    expect(events.at(-1)).toMatchObject({ type: 'permission.answered', by: 'person', optionId: 'always' })
    expect(() => permissions.answer(jobId, '1-1', 'no')).toThrow(/answered/)
  })

  it('refuse an option that was not offered and a request that was not made', () => {
    const { permissions, ask } = setup('ask')
    void ask()
    expect(() => permissions.answer(jobId, '1-1', 'maybe')).toThrow(/not offered/)
    expect(() => permissions.answer(jobId, '9-9', 'no')).toThrow(/no open permission request/)
  })

  it('count as denied when nobody answers in time', async () => {
    const { clock, ask, events } = setup('ask')
    const answer = ask()
    clock.advance(1000)
    expect(await answer).toBe('no')
    expect(events.at(-1)).toMatchObject({ by: 'timeout' })
    expect(clock.waiting()).toBe(0)
  })

  it('of an attempt that is over, or past a number, ask nobody', async () => {
    const { end, ask, events } = setup('ask')
    const first = Array.from({ length: 32 }, ask)
    expect(await ask()).toBe('no')
    end.abort()
    expect(await Promise.all(first)).toEqual(first.map(() => null))
    const before = events.length
    expect(await ask()).toBeNull()
    expect(events.length).toBe(before)
  })

  it('end with the attempt and leave no timer', async () => {
    const { clock, end, ask, events } = setup('ask')
    const answer = ask()
    end.abort()
    expect(await answer).toBeNull()
    expect(events.at(-1)).toMatchObject({ by: 'end' })
    expect(clock.waiting()).toBe(0)
  })
})
