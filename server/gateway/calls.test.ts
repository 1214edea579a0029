import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { systemClock as clock } from '#server/lib/clock.ts'
import type { ModelCall, Models, ModelUse } from '#server/models/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { answerCalls, type CallSource } from './answer-calls.ts'
import { createCallQueue } from './call-queue.ts'

const log = pino({ level: 'silent' })
const CHAT = { model: 'm', messages: [{ role: 'user', content: 'hello' }] }
const USE: ModelUse = { provider: 'p', model: 'm', inputTokens: 3, outputTokens: 5, durationMs: 7 }
const none = (): ModelCall => ({ signal: new AbortController().signal, used: () => expect.unreachable('counted at the worker') })

const models = (chat: Models['chat']): Models => ({
  list: async () => ({ models: [], unreachable: [] }),
  has: async () => true,
  chat,
  embed: async body => Response.json({ embedded: body.input }),
})

/** A worker's queue, and a home that answers from it by these models. */
function join(chat: Models['chat'], wrap: (source: CallSource) => CallSource = source => source) {
  const queue = createCallQueue({ clock })
  const stop = new AbortController()
  const uses: ModelUse[] = []
  const done = answerCalls({
    source: wrap(queue),
    models: models(chat),
    used: use => uses.push(use),
    clock,
    log,
    signal: stop.signal,
  })
  return {
    queue,
    uses,
    done,
    ask: (call = none(), request: object = CHAT) => queue.home.chat(request as typeof CHAT, call),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
    stop: () => stop.abort(),
  }
}

/** A stream that a test feeds. */
function fed(signal?: AbortSignal) {
  const encoder = new TextEncoder()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const ended = Promise.withResolvers<void>()
  const body = new ReadableStream<Uint8Array>({
    start(own) {
      controller = own
    },
    cancel: () => ended.resolve(),
  })
  signal?.addEventListener('abort', () => {
    controller?.error(signal.reason)
    ended.resolve()
  })
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  return {
    response,
    ended: ended.promise,
    write: (text: string) => controller?.enqueue(encoder.encode(text)),
    close: () => controller?.close(),
    fail: () => controller?.error(new Error('the provider broke off')),
  }
}

const aborted = (signal: AbortSignal) => new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))

describe('a model call that the home answers', () => {
  it('is asked there with its whole request, and answered with status, type and body; what was used is counted there', async () => {
    await using side = join(async (request, { used }) => {
      used(USE)
      return Response.json({ echo: request }, { status: 201 })
    })
    const answer = await side.ask(none(), { ...CHAT, temperature: 0.5 })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toEqual({ echo: { ...CHAT, temperature: 0.5 } })
    expect(side.uses).toEqual([USE])
    const embedded = await side.queue.home.embed({ model: 'm', input: 'text' }, none())
    expect(await embedded.json()).toEqual({ embedded: 'text' })
  })

  it('streams: a part is there before the next is made', async () => {
    const stream = fed()
    await using side = join(async () => stream.response)
    stream.write('data: 1\n\n')
    const answer = await side.ask()
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect(await reader?.read()).toEqual({ done: false, value: 'data: 1\n\n' })
    stream.write('data: 2\n\n')
    expect(await reader?.read()).toEqual({ done: false, value: 'data: 2\n\n' })
    stream.close()
    expect(await reader?.read()).toMatchObject({ done: true })
  })

  it('is refused in the words of the home, and without them where they are not for callers', async () => {
    await using side = join(async ({ model }) => {
      if (model === 'busy') throw new ApiError('too_many_requests', 'Later.', { retryAfterMs: 2000 })
      throw new Error('the key is sk-secret')
    })
    const busy = await side.ask(none(), { ...CHAT, model: 'busy' })
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '2'])
    expect(await busy.json()).toMatchObject({ error: { message: 'Later.', code: 'too_many_requests' } })
    const broken = await side.ask()
    expect(broken.status).toBe(500)
    expect(await broken.text()).not.toContain('sk-secret')
  })

  it('does not reach a provider when it is no request, whatever the worker says', async () => {
    let asked = 0
    await using side = join(async () => {
      asked += 1
      return Response.json({})
    })
    expect((await side.ask(none(), { model: 'm', messages: [] })).status).toBe(422)
    expect(asked).toBe(0)
  })

  it('waits for a home that is not there yet', async () => {
    const queue = createCallQueue({ clock })
    const answer = queue.home.chat(CHAT, none())
    const stop = new AbortController()
    const done = answerCalls({
      source: queue,
      models: models(async () => Response.json('late')),
      used: () => {},
      clock,
      log,
      signal: stop.signal,
    })
    expect(await (await answer).json()).toBe('late')
    stop.abort()
    await done
  })
})

describe('calls at once', () => {
  it('are answered side by side, and past what one attempt may have with "too many"', async () => {
    const gate = Promise.withResolvers<void>()
    await using side = join(async () => {
      await gate.promise
      return Response.json({})
    })
    const answers = Array.from({ length: 40 }, () => side.ask())
    const refused = (await Promise.race([Promise.all(answers.slice(32)), gate.promise])) as Response[]
    expect(refused.map(({ status }) => status)).toEqual(Array(8).fill(429))
    gate.resolve()
    const first = await Promise.all(answers.slice(0, 32))
    expect(first.map(({ status }) => status)).toEqual(Array(32).fill(200))
  })
})

describe('the end of a call', () => {
  it('comes to the provider when the program goes away, before and in its answer', async () => {
    const begun = Promise.withResolvers<AbortSignal>()
    await using side = join(async (_, { signal }) => {
      begun.resolve(signal)
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    const program = new AbortController()
    const answer = side.ask({ ...none(), signal: program.signal })
    const signal = await begun.promise
    const over = aborted(signal)
    program.abort()
    await expect(answer).rejects.toThrow()
    await over

    const streams: ReturnType<typeof fed>[] = []
    await using streaming = join(async (_, call) => {
      const stream = fed(call.signal)
      streams.push(stream)
      stream.write('x')
      return stream.response
    })
    const reader = (await streaming.ask()).body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await streams[0]?.ended
  })

  it('comes to the program when the provider breaks off', async () => {
    const stream = fed()
    await using side = join(async () => stream.response)
    stream.write('half')
    const answer = await side.ask()
    stream.fail()
    await expect(answer.text()).rejects.toThrow('broke off')
  })

  it('comes to both when the attempt ends, and nothing more is taken', async () => {
    const begun = Promise.withResolvers<AbortSignal>()
    const side = join(async (_, { signal, used }) => {
      begun.resolve(signal)
      await aborted(signal)
      used(USE)
      throw signal.reason
    })
    const answer = side.ask()
    await begun.promise
    side.queue.close()
    await expect(answer).rejects.toMatchObject({ code: 'not_ready' })
    await side.done
    expect(side.uses).toEqual([USE])
    await expect(side.ask()).rejects.toMatchObject({ code: 'not_ready' })
    const never = new AbortController().signal
    const piece = { offset: 0, status: 200, type: 'x/y', end: 'whole', body: new Uint8Array(1) } as const
    expect(await side.queue.answer(1, piece, never)).toEqual({ bytes: 0, isOpen: false })
  })
})

describe('a worker that cannot be reached for a moment', () => {
  it('gets each byte once, whichever message was lost', async () => {
    const LOST = new ApiError('peer_unreachable', 'lost')
    const tries = { take: 0, answer: 0 }
    const flaky = (source: CallSource): CallSource => ({
      async take(known, signal) {
        if (++tries.take % 2 === 1) throw LOST
        return source.take(known, signal)
      },
      // Of each piece the question is lost first, and then the answer.
      async answer(id, piece, signal) {
        const turn = ++tries.answer % 3
        if (turn === 1) throw LOST
        const answered = await source.answer(id, piece, signal)
        if (turn === 2) throw LOST
        return answered
      },
    })
    const stream = fed()
    await using side = join(async () => stream.response, flaky)
    const answer = side.ask()
    stream.write('one ')
    const reader = (await answer).body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toBe('one ')
    stream.write('two ')
    expect((await reader?.read())?.value).toBe('two ')
    stream.write('three')
    stream.close()
    expect((await reader?.read())?.value).toBe('three')
    expect((await reader?.read())?.done).toBe(true)
  })
})

describe('a program that reads slowly', () => {
  const piece = (offset: number, bytes: number) =>
    ({ offset, status: 200, type: 'x/y', end: 'more', body: new Uint8Array(bytes) }) as const
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    return 'waits' as const
  }

  it('makes the home wait with the next piece, and hear soon when it goes on or goes away', async () => {
    const never = new AbortController().signal
    const queue = createCallQueue({ clock })
    const answer = queue.home.chat(CHAT, none())
    expect(await queue.answer(1, piece(0, 1000), never)).toEqual({ bytes: 1000, isOpen: true })
    const full = queue.answer(1, piece(1000, 300_000), never)
    expect(await Promise.race([full, turns()])).toBe('waits')
    const reader = (await answer).body?.getReader()
    await reader?.read()
    await reader?.read()
    expect(await full).toEqual({ bytes: 301_000, isOpen: true })
    const again = queue.answer(1, piece(301_000, 300_000), never)
    expect(await Promise.race([again, turns()])).toBe('waits')
    await reader?.cancel()
    expect(await again).toEqual({ bytes: 601_000, isOpen: false })
  })

  it('holds up the provider in the end', async () => {
    let made = 0
    const long = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          made += 1
          if (made > 512) controller.close()
          else controller.enqueue(new Uint8Array(64 * 1024))
        },
      },
      { highWaterMark: 0 },
    )
    await using side = join(async () => new Response(long))
    const reader = (await side.ask()).body?.getReader()
    await turns()
    await turns()
    const before = made
    expect(before).toBeLessThan(64)
    for (let read = 0; read < 16 * 1024 * 1024; ) read += (await reader?.read())?.value?.byteLength ?? 0
    expect(made).toBeGreaterThan(before)
    await reader?.cancel()
  })
})

describe('a home that was restarted', () => {
  it('answers what was not begun, and breaks off what was', async () => {
    const hanging = Promise.withResolvers<void>()
    const first = join(async ({ model }, { signal }) => {
      const stream = fed(signal)
      if (model === 'slow') {
        hanging.resolve()
        await aborted(signal)
        throw signal.reason
      }
      stream.write('half')
      return stream.response
    })
    const begun = await first.ask()
    const reader = begun.body?.getReader()
    await reader?.read()
    const waiting = first.ask(none(), { ...CHAT, model: 'slow' })
    await hanging.promise
    first.stop()
    await first.done

    const stop = new AbortController()
    const done = answerCalls({
      source: first.queue,
      models: models(async () => Response.json('anew')),
      used: () => {},
      clock,
      log,
      signal: stop.signal,
    })
    expect(await (await waiting).json()).toBe('anew')
    await expect(reader?.read()).rejects.toThrow('broke off')
    stop.abort()
    await done
  })
})

describe('a queue of calls', () => {
  it('keeps nothing of a call that its program gave up before the home heard of it', async () => {
    const queue = createCallQueue({ clock })
    const gone = new AbortController()
    const held = await (async () => {
      const request = { ...CHAT, user: 'x'.repeat(1000) }
      const asked = queue.home.chat(request, { ...none(), signal: gone.signal })
      gone.abort(new Error('gone'))
      await expect(asked).rejects.toThrow('gone')
      return new WeakRef(request)
    })()
    setFlagsFromString('--expose-gc')
    await new Promise(resolve => setTimeout(resolve))
    runInNewContext('gc')()
    expect(held.deref()).toBeUndefined()
    queue.close()
  })
})

describe('a home that answers', () => {
  it('waits before it asks again where a worker tells of the end of calls that never were', async () => {
    let asked = 0
    const waits: number[] = []
    const stop = new AbortController()
    await answerCalls({
      source: {
        async take() {
          asked += 1
          if (asked === 5) stop.abort()
          return { calls: [], gone: [7], isOver: false }
        },
        answer: async () => ({ bytes: 0, isOpen: false }),
      },
      models: models(async () => Response.json({})),
      used: () => {},
      clock: {
        after(ms, call) {
          waits.push(ms)
          setImmediate(call)
          return () => {}
        },
      },
      log,
      signal: stop.signal,
    })
    expect(waits.length).toBeGreaterThanOrEqual(4)
  })

  it('passes on an answer whose type is longer than a worker takes', async () => {
    const type = `text/plain; x=${'y'.repeat(300)}`
    await using side = join(async () => new Response('hello', { headers: { 'content-type': type } }))
    const answer = await side.ask()
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual(['application/octet-stream', 'hello'])
  })
})
