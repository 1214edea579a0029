import { writeFile } from 'node:fs/promises'
import { strToU8, zipSync } from 'fflate'

/** Id of the extension, and the name of its model among those of the editor. */
export const ACCOUNT = 'acme.acme-models'
export const ACCOUNT_MODEL = 'acme/parrot'

const MANIFEST = {
  name: 'acme-models',
  publisher: 'acme',
  displayName: 'Acme Models',
  version: '1.0.0',
  engines: { vscode: '^1.104.0' },
  main: './extension.js',
  activationEvents: ['onStartupFinished'],
  enabledApiProposals: ['chatProvider'],
  contributes: { languageModelChatProviders: [{ vendor: 'acme', displayName: 'Acme' }] },
}

/** Says back what it was told. It is paid for by an account, so that the editor asks before another extension may use it. */
const CODE = `const vscode = require('vscode')
exports.activate = ({ subscriptions }) => subscriptions.push(vscode.lm.registerLanguageModelChatProvider('acme', {
  provideLanguageModelChatInformation: async () => [{
    id: 'parrot', name: 'Parrot', family: 'parrot', version: '1', maxInputTokens: 1000, maxOutputTokens: 1000, capabilities: {},
    requiresAuthorization: { label: 'ann@acme.example' }, isUserSelectable: true,
  }],
  async provideLanguageModelChatResponse(_, messages, __, progress) {
    const said = messages.flatMap(({ content }) => content).flatMap(part => part instanceof vscode.LanguageModelTextPart ? [part.value] : [])
    progress.report(new vscode.LanguageModelTextPart('Parrot: ' + said.join(' ')))
  },
  provideTokenCount: async () => 1,
}))
`

/** Makes a VSIX of an extension with models for which the editor asks consent, as that of Copilot does. */
export async function packAccountModels(to: string): Promise<void> {
  const identity = `Id="${MANIFEST.name}" Version="${MANIFEST.version}" Publisher="${MANIFEST.publisher}" Language="en-US"`
  const files = {
    'extension.vsixmanifest': `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata><Identity ${identity}/><DisplayName>${MANIFEST.displayName}</DisplayName></Metadata>
<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation><Dependencies/>
<Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>`,
    'extension/package.json': JSON.stringify(MANIFEST),
    'extension/extension.js': CODE,
  }
  await writeFile(to, zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)]))))
}
