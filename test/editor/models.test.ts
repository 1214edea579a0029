import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import type { Client } from '#shared/contract/index.ts'
import { makeRepository } from '#test/e2e/node.ts'
import { ACCOUNT, ACCOUNT_MODEL, packAccountModels } from './account-models.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

const ask = async (client: Client, content: string) => {
  const answer = await client.chat({ body: { model: ACCOUNT_MODEL, messages: [{ role: 'user', content }] } })
  return { status: answer.status, text: await answer.text() }
}

it.skipIf(missing !== null)(
  'offers a model that the editor guards, and uses it once the person has allowed that',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'README.md': '# App\n' })
    const place = await makePlace(life, 'http://127.0.0.1:9')
    const vsix = join(place.dataDir, 'acme.vsix')
    await packAccountModels(vsix)
    const { page, picture, showSkein } = await openEditor(life, {
      folder: repository.path,
      settings: { ...place.settings, 'skein.models.offer': true },
      more: [vsix],
      proposing: [ACCOUNT],
    })
    await showSkein()
    await page.getByText('No jobs yet').waitFor()
    const client = await place.client()
    await until(async () => (await client.listModels()).data.map(({ id }) => id)).toContain(ACCOUNT_MODEL)

    const dialog = page.locator('.monaco-dialog-box')
    const refused = expect(ask(client, 'one')).rejects.toThrow(/cannot be used by/)
    await dialog.getByText('Acme Models').first().waitFor()
    await picture('60-consent')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await refused

    const allowed = ask(client, 'two')
    await dialog.getByRole('button', { name: 'Allow' }).click()
    expect(await allowed).toMatchObject({ status: 200, text: expect.stringContaining('Parrot: two') })
    // Once is enough.
    expect(await ask(client, 'three')).toMatchObject({ status: 200, text: expect.stringContaining('Parrot: three') })
    await picture('61-allowed')
  },
  180_000,
)
