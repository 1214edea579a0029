import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { EventBody } from '#shared/model/index.ts'
import { chooseOption, createPrompt } from './permission-prompt.ts'

const options = [
  { id: 'once', name: 'Allow once', kind: 'allow_once' },
  { id: 'always', name: 'Allow always', kind: 'allow_always' },
  { id: 'no', name: 'Reject', kind: 'reject_once' },
] as const
const request = (requestId: string): EventBody => ({
  type: 'permission.requested',
  epoch: 1,
  requestId,
  title: 'Edit',
  detail: `detail of ${requestId}\u001B[2J`,
  options: [...options],
})

test.each([
  ['1', 'once'],
  [' 3 ', 'no'],
  ['y', 'once'],
  ['NO', 'no'],
  ['always', 'always'],
  ['4', undefined],
  ['0', undefined],
  ['maybe', undefined],
])('%j chooses %s', (typed, id) => expect(chooseOption([...options], typed)?.id).toBe(id))

/** A prompt with a keyboard, what it said, and the answers it gave. */
function stage() {
  const keyboard = new PassThrough()
  const said: string[] = []
  const answers: string[][] = []
  const prompt = createPrompt({
    world: { keyboard, err: { paint: (_: string, text: string) => text } as never },
    say: async text => void said.push(text),
    answer: async (...answer) => void answers.push(answer),
  })
  const type = async (line: string) => {
    keyboard.write(`${line}\n`)
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  }
  return { prompt, said, answers, type }
}

test('asks one question at a time, in order, and shows nothing hostile', async () => {
  const { prompt, said, answers, type } = stage()
  prompt.see(request('a'))
  prompt.see(request('b'))
  expect(said).toEqual([expect.stringContaining('detail of a')])
  expect(said[0]).not.toContain('\u001B')
  await type('what')
  await type('y')
  await type('3')
  expect(said[1]).toContain('none of the answers')
  expect(said[2]).toContain('detail of b')
  expect(answers).toEqual([
    ['a', 'once'],
    ['b', 'no'],
  ])
  prompt.close()
})

test('forgets a request that was answered elsewhere', async () => {
  const { prompt, answers, type } = stage()
  prompt.see(request('a'))
  prompt.see({ type: 'permission.answered', epoch: 1, requestId: 'a', optionId: 'once', by: 'policy' })
  await type('y')
  expect(answers).toEqual([])
  prompt.close()
})
