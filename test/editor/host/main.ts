/// <reference types="vscode" />
// Runs inside the host of the extensions of a real editor, as the extension's own bundle.
import assert from 'node:assert/strict'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as vscode from 'vscode'
import { activate as activateSkein } from '#extension/extension.ts'
import { type Client, createClient } from '#shared/contract/index.ts'
import { DATA_DIR, ELSEWHERE, REPORT, type Report, SCRIPT, TASK, VENDOR } from './plan.ts'
import { trees } from './recorded.ts'

/** Longest that a test waits for something, ms. */
const PATIENCE_MS = 60_000
const env = (name: string) => process.env[name] ?? ''
const folder = () => vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file('/')

/** Asks until the answer is one. @throws {Error} after a while, saying what was waited for */
async function until<T>(
  what: string,
  ask: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  const last = Date.now() + PATIENCE_MS
  for (;;) {
    const found = await Promise.resolve(ask()).catch(() => null)
    if (found) return found
    if (Date.now() > last) throw new Error(`Waited in vain: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

async function orchestrator(): Promise<Client> {
  const read = (name: string) => readFile(join(env(DATA_DIR), name), 'utf8')
  return until('an orchestrator', async () => {
    const { url } = JSON.parse(await read('server.json')) as { url: string }
    const client = createClient((path, init) => fetch(url + path, init as RequestInit), (await read('token')).trim())
    await client.ready()
    return client
  })
}

async function ended(client: Client, task: string): Promise<string> {
  return until(`the end of ${task}`, async () => {
    const { items } = await client.listJobs({ query: {} })
    return items.find(({ title, state }) => title === task && state === 'succeeded')?.id
  })
}

/** A model whose every answer says what it was asked, and calls a tool where it is offered one. */
const probe: vscode.LanguageModelChatProvider = {
  async provideLanguageModelChatInformation() {
    const capabilities = { toolCalling: true }
    return [{ id: 'echo', name: 'Echo', family: 'echo', version: '1', maxInputTokens: 1000, maxOutputTokens: 1000, capabilities }]
  },
  async provideLanguageModelChatResponse(_, messages, { tools = [] }, progress) {
    const said = messages.flatMap(({ content }) =>
      content.map(part => (part instanceof vscode.LanguageModelTextPart ? part.value : '')),
    )
    for (const word of ['You said: ', ...said]) progress.report(new vscode.LanguageModelTextPart(word))
    for (const { name } of tools) progress.report(new vscode.LanguageModelToolCallPart('call-1', name, { said: said.length }))
  },
  provideTokenCount: async () => 3,
}

/** Every row of a tree, with the row that has it. */
async function rowsOf(id: string): Promise<{ row: string; item: vscode.TreeItem; parent: string | undefined }[]> {
  const provider = trees.get(id)
  assert.ok(provider, `There is no tree ${id}`)
  const rows: { row: string; item: vscode.TreeItem; parent: string | undefined }[] = []
  async function walk(parent: string | undefined): Promise<void> {
    for (const row of (await provider?.getChildren(parent)) ?? []) {
      const item = await provider?.getTreeItem(row)
      assert.ok(item)
      rows.push({ row, item, parent })
      if (item.collapsibleState !== vscode.TreeItemCollapsibleState.None) await walk(row)
    }
  }
  await walk(undefined)
  return rows
}
const labelOf = ({ label }: vscode.TreeItem) => (typeof label === 'object' ? label.label : (label ?? ''))

/** Commands of the manifest. @throws {Error} when the extension is not installed */
function contributedCommands(): string[] {
  const extension = vscode.extensions.getExtension('skein.skein')
  assert.ok(extension)
  const { commands } = extension.packageJSON.contributes as { commands: { command: string }[] }
  return commands.map(({ command }) => command)
}

const TESTS: Readonly<Record<string, () => Promise<void>>> = {
  'commands: each of the manifest is there': async () => {
    const contributed = contributedCommands()
    const known = new Set(await vscode.commands.getCommands(true))
    assert.ok(contributed.length > 0)
    assert.deepEqual(
      contributed.filter(command => !known.has(command)),
      [],
    )
  },

  'links: run no task in a repository that nobody has open': async () => {
    const client = await orchestrator()
    const count = async () => (await client.listJobs({ query: {} })).items.length
    const before = await count()
    const elsewhere = { repository: env(ELSEWHERE), feature: '001-login', task: 'T001', title: 'Begin', jobId: null }
    await vscode.commands.executeCommand('skein.specs.runTask', elsewhere)
    assert.equal(await count(), before)
    await vscode.commands.executeCommand('notifications.clearAll')
  },

  'trees: every row has an item and its parent, and a job its command': async () => {
    const client = await orchestrator()
    await client.createJob({
      body: { agent: 'command', argv: ['sh', '-c', SCRIPT], task: TASK, repository: { path: folder().fsPath } },
    })
    const id = await ended(client, TASK)
    const { item } = await until('its row among those that succeeded', async () =>
      (await rowsOf('skein.jobs')).find(({ row, parent }) => row.endsWith(id) && parent?.includes('succeeded')),
    )
    assert.equal(labelOf(item), TASK)
    assert.deepEqual(item.command?.arguments, [{ jobId: id }])
    for (const tree of ['skein.jobs', 'skein.peers', 'skein.specs'])
      for (const { row, parent: above } of await rowsOf(tree)) assert.equal(await trees.get(tree)?.getParent?.(row), above)
    const specs = await until('the specs', async () => {
      const rows = await rowsOf('skein.specs')
      return rows.some(({ item: { label } }) => String(label).startsWith('T001')) && rows
    })
    assert.ok(specs.some(({ item: { label } }) => label === '001-login'))
    // A row that is gone between a change and its redraw.
    assert.equal(labelOf((await trees.get('skein.jobs')?.getTreeItem('gone')) ?? {}), '')
  },

  'results: are merged into a document that is not saved, which stays so, and undone by one undo': async () => {
    const client = await orchestrator()
    const jobId = await ended(client, TASK)
    const uri = vscode.Uri.joinPath(folder(), 'one.txt')
    const document = await vscode.workspace.openTextDocument(uri)
    await vscode.window.showTextDocument(document)
    const mine = new vscode.WorkspaceEdit()
    mine.insert(uri, new vscode.Position(10, 0), 'mine ')
    assert.ok(await vscode.workspace.applyEdit(mine))
    const before = document.getText()
    assert.ok(document.isDirty)
    await vscode.commands.executeCommand('skein.jobs.apply', { jobId })
    assert.match(document.getText(), /^ONE\n/)
    assert.match(document.getText(), /^mine line$/m)
    assert.ok(document.isDirty, 'What was not saved is the person’s to save')
    assert.match(await readFile(join(folder().fsPath, 'three.txt'), 'utf8'), /^THREE\n/)
    assert.match(await readFile(uri.fsPath, 'utf8'), /^one\n/)
    await until('the other file', async () => (await vscode.workspace.fs.stat(vscode.Uri.joinPath(folder(), 'two.txt'))).size > 0)
    await vscode.window.showTextDocument(document)
    await vscode.commands.executeCommand('undo')
    await until('what was before', () => document.getText() === before)
    await vscode.commands.executeCommand('workbench.action.files.revert')
  },

  'tools: answer a model with facts, and refuse what does not fit': async () => {
    const names = vscode.lm.tools.map(({ name }) => name).filter(name => name.startsWith('skein_'))
    assert.deepEqual(names.sort(), ['skein_job_status', 'skein_run_job', 'skein_spec'])
    const invoke = async (name: string, input: object): Promise<unknown> => {
      const { content } = await vscode.lm.invokeTool(name, { input, toolInvocationToken: undefined })
      return JSON.parse(content.map(part => (part instanceof vscode.LanguageModelTextPart ? part.value : '')).join(''))
    }
    await assert.rejects(invoke('skein_run_job', { task: 7 }), /task/)
    assert.match(JSON.stringify(await invoke('skein_job_status', {})), new RegExp(`"title":"${TASK}"`))
    assert.match(JSON.stringify(await invoke('skein_spec', { feature: '001-login' })), /T001/)
  },

  'models: of the orchestrator are in the editor, and none of its own comes back to it': async () => {
    const settings = vscode.workspace.getConfiguration('skein')
    const client = await orchestrator()
    const offered = async () =>
      (await client.listModels()).data.filter(({ owned_by }) => owned_by === 'editor').map(({ id }) => id)
    assert.deepEqual(await offered(), [])
    await settings.update('models.offer', true, vscode.ConfigurationTarget.Global)
    await until('the offer', async () => (await offered()).includes(`${VENDOR}/echo`))
    assert.ok((await offered()).every(id => !id.startsWith('skein/')))
    const shown = await vscode.lm.selectChatModels({ vendor: 'skein' })
    assert.ok(shown.length > 0)
    assert.ok(shown.every(({ family }) => family !== 'editor'))
    const tool = { type: 'function', function: { name: 'look', parameters: { type: 'object' } } }
    const body = { model: `${VENDOR}/echo`, messages: [{ role: 'user', content: 'hello' }], tools: [tool] }
    const answer = (await (await client.chat({ body })).json()) as { choices: { message: unknown }[]; usage: unknown }
    assert.deepEqual(answer.choices[0]?.message, {
      role: 'assistant',
      content: 'You said: hello',
      tool_calls: [{ id: 'call-1', type: 'function', function: { name: 'look', arguments: '{"said":1}' } }],
    })
    assert.deepEqual(answer.usage, { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 })
    await settings.update('models.offer', undefined, vscode.ConfigurationTarget.Global)
    await until('the end of the offer', async () => (await offered()).length === 0)
  },

  'chat: the participant answers from the orchestrator': async () => {
    await until('a model', async () => (await vscode.lm.selectChatModels()).length > 0)
    const query = '@skein /status'
    await vscode.commands.executeCommand('workbench.action.chat.open', { query, blockOnResponse: true })
    await vscode.commands.executeCommand('workbench.action.chat.copyAll')
    assert.match(await vscode.env.clipboard.readText(), new RegExp(TASK))
  },
}

async function run(): Promise<void> {
  const report: Record<string, string | null> = {}
  for (const [name, test] of Object.entries(TESTS)) {
    try {
      await test()
      report[name] = null
    } catch (error) {
      report[name] = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
  }
  // In place at once, for it is waited for.
  await writeFile(`${env(REPORT)}.part`, JSON.stringify(report satisfies Report))
  await rename(`${env(REPORT)}.part`, env(REPORT))
}

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(vscode.lm.registerLanguageModelChatProvider(VENDOR, probe))
  activateSkein(context)
  void run()
}
