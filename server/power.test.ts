import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPower, fromPmset } from './power.ts'

type Files = Readonly<Record<string, Readonly<Record<string, string>>>>

/** A directory as Linux shows it, read by the real reader. */
function linux(files: Files): ReturnType<ReturnType<typeof createPower>> {
  const supplies = mkdtempSync(join(tmpdir(), 'skein-power-'))
  onTestFinished(() => rmSync(supplies, { recursive: true }))
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(join(supplies, name))
    for (const [file, text] of Object.entries(contents)) writeFileSync(join(supplies, name, file), `${text}\n`)
  }
  return createPower({ platform: 'linux', supplies })()
}

const charger = (online: string) => ({ AC: { type: 'Mains', online } })
const battery = (status: string) => ({ BAT0: { type: 'Battery', status } })

describe('what a machine runs on', () => {
  it.each([
    ['mains', { ...charger('1'), ...battery('Charging') }],
    ['battery', { ...charger('0'), ...battery('Discharging') }],
    ['mains', battery('Full')],
    ['battery', battery('Discharging')],
    ['mains', { ...battery('Discharging'), usb: { type: 'USB', online: '1' } }],
    ['mains', { mouse: { type: 'Battery', status: 'Discharging', scope: 'Device' } }],
    ['mains', {}],
  ] as const)('is %s on Linux with %o', async (source, files: Files) => {
    expect(await linux(files)).toBe(source)
  })

  it('is unknown where nothing tells', async () => {
    expect(await createPower({ platform: 'linux', supplies: '/nowhere' })()).toBe('unknown')
    expect(await createPower({ platform: 'win32' })()).toBe('unknown')
    expect(await createPower({ platform: 'darwin', ask: () => Promise.reject(new Error('no such program')) })()).toBe('unknown')
  })

  it('is told by pmset on macOS', () => {
    expect(fromPmset("Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged;")).toBe('mains')
    expect(fromPmset("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t80%; discharging;")).toBe('battery')
    expect(fromPmset('No batteries')).toBe('unknown')
  })
})
