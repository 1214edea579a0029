import type { CommandId } from './commands.ts'

type Command = CommandId | 'workbench.action.chat.open'

interface Step {
  readonly id: string
  readonly title: string
  /** Bold and code of Markdown, no more; a link alone on a line is a button. */
  readonly description: string
  /** Of the picture in media/walkthrough/, without its ending. */
  readonly picture: string
  readonly altText: string
  /** What completes it. */
  readonly done: `onCommand:${Command}`
}

const link = (title: string, command: Command): string => `[${title}](command:${command})`

const STEPS: readonly Step[] = [
  {
    id: 'doctor',
    title: 'See what this machine has',
    description: `Skein needs git, a sandbox (bubblewrap on Linux) and a model: Ollama, or anything that speaks OpenAI’s format. **Doctor** tells what was found, and how to get what is missing.\n${link('Run Doctor', 'skein.server.doctor')}`,
    picture: 'doctor',
    altText: 'A list of checks: git, sandbox and model, each with a tick.',
    done: 'onCommand:skein.server.doctor',
  },
  {
    id: 'job',
    title: 'Run a first job',
    description: `Say what is to be done. An agent works on a copy of your repository, in a sandbox; your files stay as they are.\n${link('New Job', 'skein.jobs.new')}\nA check, such as \`npm test\`, must pass on what comes back: **skein.jobs.check** in the ${link('settings', 'skein.server.settings')}.`,
    picture: 'job',
    altText: 'A repository, a copy of it in a sandbox with an agent, and a result that comes back.',
    done: 'onCommand:skein.jobs.new',
  },
  {
    id: 'result',
    title: 'Review what came back, then apply it',
    description: `A job’s page shows its log as it is written, what the agent did, whether the checks are green, and the changes. **Apply** makes one edit of them, which **Undo** takes back.\n${link('Review Changes', 'skein.jobs.review')}`,
    picture: 'result',
    altText: 'A page of a job: its log, a green check and the changed lines.',
    done: 'onCommand:skein.jobs.review',
  },
  {
    id: 'peers',
    title: 'Add another machine',
    description: `Jobs go where there is room and a better model. Start Skein on another of your machines, show its pairing code there, and type it here. On a tailnet machines find each other.\n${link('Add Peer', 'skein.peers.add')}`,
    picture: 'peers',
    altText: 'Three machines with jobs on each.',
    done: 'onCommand:skein.peers.add',
  },
  {
    id: 'chat',
    title: 'Ask in the chat',
    description: `Where this editor has a chat, **@skein mend the failing test** runs a job and tells how it goes; **/status**, **/spec** and **/peers** tell how things are. An editor without a model of its own needs one chosen in the chat’s picker: Skein’s are there.\n${link('Open Chat', 'workbench.action.chat.open')}`,
    picture: 'chat',
    altText: 'A request to @skein in the chat, and the progress of its job below.',
    done: 'onCommand:workbench.action.chat.open',
  },
]

/** Id of the walkthrough, as the editor opens it. */
export const WALKTHROUGH = 'start'

/** As `contributes.walkthroughs` has it. */
export const walkthroughs = (): object[] => [
  {
    id: WALKTHROUGH,
    title: 'Get Started with Skein',
    description: 'From what this machine has to the first result, and to more machines.',
    steps: STEPS.map(({ id, title, description, picture, altText, done }) => ({
      id,
      title,
      description,
      media: { svg: `media/walkthrough/${picture}.svg`, altText },
      completionEvents: [done],
    })),
  },
]
