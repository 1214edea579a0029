/** What is said about peers: the words of the extension's commands, so that a node is trusted by the same words everywhere. */
export const PEER_WORDS = {
  address: 'Address of the other node. On that machine, run “Skein: Show Pairing Code” or `skein pair`.',
  badAddress: 'An address looks like http://desktop:8080',
  code: 'The code it shows. It counts once, and not for long.',
  both: 'What may the two nodes do?',
  offer: 'Offer my jobs to it',
  offerAndTake: 'Offer my jobs to it, and take its jobs',
  added: '{0} is a peer now.',
  pairing: 'Pairing code: {0}. Give it to “Skein: Add Peer…” on the other machine before {1}. It counts once.',
  trust: 'Trust {0} again?',
  trustDetail:
    'What the mesh or the settings say of it will count again. Its identity is {0}: compare it with what its owner sees.',
  trustYes: 'Trust',
  remove: 'Remove {0}?',
  removeDetail: 'The trust in it ends at once: none of your jobs go there, and none of its come here.',
  removeYes: 'Remove',
} as const

/** A text with values in the places of `{0}`, `{1}`. */
export const filled = (text: string, ...values: readonly string[]): string =>
  text.replaceAll(/\{(\d)\}/g, (place, index) => values[Number(index)] ?? place)
