import { createSanitizer } from '#shared/model/index.ts'
import type { World } from './world.ts'

/** Shows log bytes on stdout, made safe, and keeps them apart from the lines on stderr. */
export interface LogView {
  show(bytes: Uint8Array): Promise<void>
  /** Ends a line that has been begun, where both streams share a terminal. */
  breakLine(): Promise<void>
  end(): Promise<void>
}

/** @param options.raw passes the bytes on as they are, for programs; at a terminal that is the reader's own risk. */
export function createLogView({ out, err }: Pick<World, 'out' | 'err'>, { raw }: { raw: boolean }): LogView {
  const sanitizer = createSanitizer({ colour: out.colour })
  const decoder = new TextDecoder('utf-8')
  let atLineStart = true
  const put = async (text: string) => {
    if (text === '') return
    atLineStart = text.endsWith('\n')
    await out.write(text)
  }
  return {
    show: bytes => (raw ? out.write(bytes) : put(sanitizer.write(decoder.decode(bytes, { stream: true })))),
    async breakLine() {
      if (!out.isTerminal || !err.isTerminal || atLineStart) return
      atLineStart = true
      await out.write('\n')
    },
    async end() {
      if (!raw) await put(sanitizer.write(decoder.decode()) + sanitizer.end())
      await this.breakLine()
    },
  }
}
