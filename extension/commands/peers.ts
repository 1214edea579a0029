import * as vscode from 'vscode'
import type { Peer } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import type { Pages } from '../panels/pages.ts'
import { plainLabel } from '../rows/plain.ts'
import type { Fleet } from '../state/fleet.ts'
import { confirm, inform } from '../ui/notice.ts'
import { t } from '../ui/texts.ts'

export interface PeerCommandDeps {
  readonly backend: Backend
  readonly fleet: Fleet
  readonly pages: Pages
  /** Asks this node about itself again. */
  readonly refreshSelf: () => Promise<void>
}

export function peerCommands({ backend, fleet, pages, refreshSelf }: PeerCommandDeps) {
  async function askForPeer(argument: unknown, title: string, fits: (peer: Peer) => boolean): Promise<Peer | undefined> {
    const named = typeof argument === 'string' ? fleet.peer(argument.split('/')[0] ?? '') : undefined
    if (named) return named
    const items = fleet
      .peers()
      .filter(fits)
      .map(peer => ({ label: plainLabel(peer.name), description: plainLabel(peer.address), peer }))
    return (await vscode.window.showQuickPick(items, { title, placeHolder: t('Which peer?') }))?.peer
  }
  async function drain(draining: boolean): Promise<void> {
    await backend.call('drain', { body: { draining } })
    await refreshSelf()
  }
  return {
    'skein.peers.openPage': () => pages.open({ page: 'fleet' }),
    async 'skein.peers.add'() {
      const address = await vscode.window.showInputBox({
        title: t('Add Peer (1 of 2)'),
        prompt: t('Address of the other node. On that machine, run “Skein: Show Pairing Code” or `skein pair`.'),
        placeHolder: 'http://desktop:8080',
        ignoreFocusOut: true,
        validateInput: text => (isAddress(text) ? undefined : t('An address looks like http://desktop:8080')),
      })
      if (address === undefined) return
      const code = await vscode.window.showInputBox({
        title: t('Add Peer (2 of 2)'),
        prompt: t('The code it shows. It counts once, and not for long.'),
        ignoreFocusOut: true,
      })
      if (code === undefined || code.trim() === '') return
      const both = await vscode.window.showQuickPick(
        [
          { label: t('Offer my jobs to it'), value: false },
          { label: t('Offer my jobs to it, and take its jobs'), value: true },
        ],
        { title: t('What may the two nodes do?'), ignoreFocusOut: true },
      )
      if (!both) return
      const peer = await backend.call('addPeer', {
        body: { address: address.trim(), code: code.trim(), weRunTheirs: both.value },
      })
      inform(t('{0} is a peer now.', peer.name))
    },
    async 'skein.peers.pair'() {
      const { code, expiresAt } = await backend.call('createPairingCode')
      const copy = t('Copy')
      const until = new Date(expiresAt).toLocaleTimeString(vscode.env.language)
      const text = t(
        'Pairing code: {0}. Give it to “Skein: Add Peer…” on the other machine before {1}. It counts once.',
        code,
        until,
      )
      if ((await vscode.window.showInformationMessage(text, copy)) === copy) await vscode.env.clipboard.writeText(code)
    },
    async 'skein.peers.trust'(argument: unknown) {
      const peer = await askForPeer(argument, t('Trust Peer'), ({ runsOurs, weRunTheirs }) => !runsOurs && !weRunTheirs)
      if (!peer) return
      const isSure = await confirm(
        t('Trust {0} again?', peer.name),
        t(
          'What the mesh or the settings say of it will count again. Its identity is {0}: compare it with what its owner sees.',
          peer.id,
        ),
        t('Trust'),
      )
      if (isSure) await backend.call('trustPeer', { params: { id: peer.id } })
    },
    async 'skein.peers.remove'(argument: unknown) {
      const peer = await askForPeer(argument, t('Remove Peer'), () => true)
      if (!peer) return
      const isSure = await confirm(
        t('Remove {0}?', peer.name),
        t('The trust in it ends at once: none of your jobs go there, and none of its come here.'),
        t('Remove'),
      )
      if (isSure) await backend.call('removePeer', { params: { id: peer.id } })
    },
    async 'skein.peers.copyAddress'(argument: unknown) {
      const peer = await askForPeer(argument, t('Copy Address'), () => true)
      if (peer) await vscode.env.clipboard.writeText(peer.address)
    },
    'skein.node.drain': () => drain(true),
    'skein.node.undrain': () => drain(false),
  }
}

function isAddress(text: string): boolean {
  const url = URL.parse(text.trim())
  return url !== null && /^https?:$/.test(url.protocol)
}
