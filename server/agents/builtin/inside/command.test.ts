import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createExcerpt, runCommand } from './command.ts'

async function run(command: string, timeoutMs = 60_000) {
  let logged = ''
  const result = await runCommand(command, { cwd: tmpdir(), timeoutMs, keep: 1_000, log: text => (logged += text) })
  return { ...result, logged }
}
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a command', () => {
  it('gives both its outputs and its exit code', async () => {
    expect(await run('echo out; echo err >&2; exit 3')).toMatchObject({
      output: expect.stringMatching(/^(out\nerr|err\nout)\n$/),
      ending: 'exit code 3',
      logged: expect.stringContaining('err'),
    })
    expect(await run('kill -9 $$')).toMatchObject({ ending: 'ended by SIGKILL' })
    expect(await run('no-such-program')).toMatchObject({ ending: 'exit code 127' })
  })

  it('ends with its time, with all it started', async () => {
    const { ending, output } = await run('sh -c "echo \\$\\$; exec sleep 1000" & wait', 300)
    expect(ending).toBe('ended after 0.3 s')
    while (isAlive(Number(output))) await new Promise(setImmediate)
  })

  it('does not wait for what it leaves running, and ends that', async () => {
    const { ending, output } = await run('sleep 1000 & echo $!')
    expect(ending).toBe('exit code 0')
    while (isAlive(Number(output))) await new Promise(setImmediate)
  })

  it('does not wait for what left its process group either', async () => {
    const { output, ending } = await run('setsid sh -c "echo \\$\\$; exec sleep 1000" & sleep 0.2')
    process.kill(Number(output), 'SIGKILL')
    expect(ending).toBe('exit code 0')
  })

  it('logs everything, keeps both ends, and takes what is no UTF-8', async () => {
    const { output, logged } = await run('i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done; printf "\\377"')
    expect(logged.split('\n')).toHaveLength(2001)
    expect(output).toMatch(/^line 0\n/)
    expect(output).toMatch(/characters left out/)
    expect(output).toMatch(/line 1999\n\ufffd$/)
    expect(output.length).toBeLessThan(2_100)
  })
})

it('an excerpt is the text itself while it fits, else its two ends', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.integer({ min: 1, max: 20 }), (chunks, keep) => {
      const excerpt = createExcerpt(keep)
      for (const chunk of chunks) excerpt.add(chunk)
      const whole = chunks.join('')
      if (whole.length <= 2 * keep) expect(excerpt.text()).toBe(whole)
      else {
        expect(excerpt.text().startsWith(whole.slice(0, keep))).toBe(true)
        expect(excerpt.text().endsWith(whole.slice(-keep))).toBe(true)
        expect(excerpt.text()).toContain(`[${whole.length - 2 * keep} characters left out]`)
      }
    }),
  )
})
