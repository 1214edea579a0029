import { chatParticipants, languageModelChatProviders } from './chat.ts'
import { COMMANDS, PALETTE_WHEN } from './commands.ts'
import { VIEW_ROWS, VIEW_TITLE } from './menus.ts'
import { configuration, restrictedSettings } from './settings.ts'
import { languageModelTools } from './tools.ts'
import { VIEWS } from './views.ts'
import { walkthroughs } from './walkthrough.ts'

/** What the extension takes from the package it is built from. */
export interface PackageFacts {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
}

/** The oldest editor; `@types/vscode` is of the same version. */
const OLDEST_EDITOR = '^1.104.0'

/** package.json of the extension, with its texts as they are. */
export function manifest({ name, version, description, license }: PackageFacts): Record<string, unknown> {
  return {
    name,
    displayName: 'Skein',
    publisher: 'skein',
    version,
    description,
    license,
    icon: 'media/icon.png',
    galleryBanner: { color: '#16324f', theme: 'dark' },
    categories: ['AI', 'Other'],
    keywords: ['agent', 'fleet', 'spec kit', 'ollama', 'tailscale'],
    engines: { vscode: OLDEST_EDITOR },
    main: './dist/extension.cjs',
    l10n: './l10n',
    // The orchestrator, git and the sandbox are where the files are.
    extensionKind: ['workspace'],
    // Views, commands, the chat and tools activate by themselves; a folder with Spec Kit documents and a page from before a reload do too.
    activationEvents: [
      'onWebviewPanel:skein.page',
      'workspaceContains:.specify/**',
      'workspaceContains:specs/*/tasks.md',
      'workspaceContains:specs/*/spec.md',
    ],
    capabilities: {
      untrustedWorkspaces: {
        supported: 'limited',
        description:
          'Jobs, peers and specs can be looked at. Nothing is run, answered, applied or written, here or on other machines, until the workspace is trusted.',
        restrictedConfigurations: restrictedSettings(),
      },
      virtualWorkspaces: {
        supported: 'limited',
        description:
          'Jobs and peers can be looked at. Jobs start from a git repository on disk, which a virtual workspace is not.',
      },
    },
    contributes: {
      commands: Object.entries(COMMANDS).map(([command, row]) => ({
        command,
        title: row.title,
        category: 'Skein',
        ...('icon' in row ? { icon: `$(${row.icon})` } : {}),
        ...('needsTrust' in row ? { enablement: 'isWorkspaceTrusted' } : {}),
      })),
      menus: {
        commandPalette: Object.entries(COMMANDS).map(([command, row]) => ({ command, when: PALETTE_WHEN[row.palette] })),
        'view/title': VIEW_TITLE,
        'view/item/context': VIEW_ROWS,
      },
      ...VIEWS,
      configuration: configuration(),
      chatParticipants: chatParticipants(),
      languageModelTools: languageModelTools(),
      languageModelChatProviders: languageModelChatProviders(),
      walkthroughs: walkthroughs(),
    },
  }
}
