import { describe, expect, it } from 'vitest'
import { SandboxError } from '#server/executors/index.ts'
import { endOf } from './attempt.ts'
import { WorkFailure } from './failures.ts'
import { Stop } from './stop.ts'

const going = new AbortController().signal
const aborted = (reason: unknown) => AbortSignal.abort(reason)
const evicted = new SandboxError('lost', 'The pod was evicted: the node was low on memory.')

describe('what an exception means for an attempt', () => {
  it('loses it when its sandbox is gone, whatever its programs seemed to do by that', () => {
    const lost = { kind: 'lost', reason: 'Its sandbox is gone: The pod was evicted: the node was low on memory.' }
    expect(endOf(evicted, going)).toEqual(lost)
    expect(endOf(new WorkFailure('agent_failed', 'The agent was ended by SIGKILL.'), going, aborted(evicted))).toEqual(lost)
  })

  it('stops it when it was told to, even if the sandbox went too', () => {
    expect(endOf(evicted, aborted(new Stop('cancel')), aborted(evicted))).toEqual({ kind: 'stopped', stop: 'cancel' })
  })

  it('loses it when a person has it give its place free', () => {
    expect(endOf(new Error('aborted'), aborted(new Stop('evict')))).toMatchObject({ kind: 'lost' })
  })

  it('gives it back where there is no place for it now', () => {
    const full = new SandboxError('unschedulable', '0 of 3 nodes have 4 GiB left.')
    expect(endOf(full, going)).toEqual({ kind: 'stopped', stop: 'shutdown', handedBack: true, reason: full.message })
  })

  it.each(['image_unavailable', 'image_unsuitable', 'quota_exceeded'] as const)('fails it by name with %s', code => {
    const error = new SandboxError(code, 'no', { remedy: 'do this' })
    expect(endOf(error, going)).toEqual({ kind: 'failed', failure: { code, detail: 'no', remedy: 'do this' } })
  })
})
