import { randomUUID } from 'node:crypto'
import { open, rename } from 'node:fs/promises'

/** Puts a file in the place of what is there, whole or not at all, readable by its owner alone; on disk when it fulfils. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}
