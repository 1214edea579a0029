import { describe, expect, it } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { unlessSilent } from './silence.ts'

const tick = () => new Promise(resolve => setImmediate(resolve))

/** A stream that says what it is told to, and ends when its signal aborts, unless it is deaf. */
function speaker({ isDeaf = false } = {}) {
  const said: number[] = []
  let wake = () => {}
  const state = { isAborted: false, isEnded: false }
  async function* open(signal: AbortSignal): AsyncGenerator<number> {
    signal.addEventListener('abort', () => {
      state.isAborted = true
      if (!isDeaf) wake()
    })
    while (!state.isEnded) {
      for (const word of said.splice(0)) yield word
      if (state.isAborted && !isDeaf) throw signal.reason
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return {
    open,
    state,
    say(word: number) {
      said.push(word)
      wake()
    },
    end() {
      state.isEnded = true
      wake()
    },
  }
}

function listen(options?: { isDeaf: boolean }) {
  const clock = virtualClock()
  const controller = new AbortController()
  const source = speaker(options)
  const heard: number[] = []
  const over = (async () => {
    for await (const word of unlessSilent(clock, 1000, source.open, controller.signal)) heard.push(word)
  })()
  over.catch(() => {})
  return { clock, controller, source, heard, over }
}

describe('unlessSilent', () => {
  it('passes on what comes, as long as something does, and ends with it', async () => {
    const { clock, source, heard, over } = listen()
    for (let word = 1; word <= 5; word++) {
      await tick()
      clock.advance(900)
      source.say(word)
    }
    await tick()
    source.end()
    await over
    expect(heard).toEqual([1, 2, 3, 4, 5])
    expect(clock.waiting()).toBe(0)
  })

  it.each([{ isDeaf: false }, { isDeaf: true }])('breaks off what is silent, also one that hears nothing: %o', async options => {
    const { clock, source, heard, over } = listen(options)
    source.say(1)
    await tick()
    clock.advance(1000)
    await expect(over).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(source.state.isAborted).toBe(true)
    expect(heard).toEqual([1])
    expect(clock.waiting()).toBe(0)
  })

  it('ends at once when it is told to', async () => {
    const { controller, clock, over } = listen({ isDeaf: true })
    await tick()
    controller.abort(new Error('enough'))
    await expect(over).rejects.toThrow('enough')
    expect(clock.waiting()).toBe(0)
  })

  it('does not count the time a reader takes', async () => {
    const clock = virtualClock()
    const source = speaker()
    source.say(1)
    source.say(2)
    const words = unlessSilent(clock, 1000, source.open, new AbortController().signal)
    expect(await words.next()).toMatchObject({ value: 1 })
    clock.advance(5000)
    expect(await words.next()).toMatchObject({ value: 2 })
    await words.return(undefined)
    expect(source.state.isAborted).toBe(true)
  })
})
