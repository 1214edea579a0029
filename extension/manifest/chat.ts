/** Id of the chat participant. */
export const PARTICIPANT = 'skein.chat'

/** What may stand after `@skein /`. Each has a function in `extension/chat/participant.ts`, or that does not compile. */
export const CHAT_COMMANDS = {
  status: 'How the jobs are; with an id or words of a title, that job.',
  spec: 'Features of the Spec Kit documents here; with the name of one and the id of a task, that.',
  peers: 'The machines: what they can give, and what they do.',
} as const
export type ChatCommand = keyof typeof CHAT_COMMANDS

/** Whose the models of the orchestrator are, to the editor. */
export const MODEL_VENDOR = 'skein'

/** As `contributes.languageModelChatProviders` has it. */
export const languageModelChatProviders = (): object[] => [{ vendor: MODEL_VENDOR, displayName: 'Skein' }]

/** As `contributes.chatParticipants` has it. */
export const chatParticipants = (): object[] => [
  {
    id: PARTICIPANT,
    name: 'skein',
    fullName: 'Skein',
    description: 'Say what is to be done: an agent does it on a copy of the repository',
    isSticky: false,
    commands: Object.entries(CHAT_COMMANDS).map(([name, description]) => ({ name, description })),
  },
]
