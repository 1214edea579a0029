import type {
  CheckRun,
  DiffStat,
  EventBody,
  Failure,
  JobEvent,
  JobState,
  Limits,
  Result,
  UsedImage,
} from '#shared/model/index.ts'

type Body<T extends EventBody['type']> = Extract<EventBody, { type: T }>

/** A check as it is known so far. */
export interface CheckStory {
  readonly base: CheckRun | 'running' | null
  readonly result: CheckRun | 'running' | null
}

export interface ToolStory {
  readonly id: string
  readonly title: string
  readonly kind: string
  readonly status: Body<'agent.tool'>['status']
  readonly input: string | null
  readonly output: string | null
  readonly locations: Body<'agent.tool'>['locations']
  readonly diffs: readonly Body<'agent.diff'>[]
}

/** One thing that happened, as it is shown; `n` is that of the event that began it. */
export type Entry = { readonly n: number; readonly at: string } & (
  | { readonly kind: 'state'; readonly to: JobState; readonly failure: Failure | null }
  | { readonly kind: 'message' | 'thought'; readonly text: string }
  | { readonly kind: 'tool'; readonly tool: ToolStory }
  | { readonly kind: 'note'; readonly tone: 'plain' | 'warn' | 'bad'; readonly text: string }
)

export interface Question extends Pick<Body<'permission.requested'>, 'requestId' | 'title' | 'detail' | 'options'> {
  readonly at: string
}

/** What the events of a job tell, so far. */
export interface Story {
  /** Number of the last event taken. */
  readonly n: number
  readonly state: JobState
  readonly epoch: number
  readonly title: string
  readonly agent: string
  readonly agentVersion: string | null
  readonly model: string | null
  /** Name of the other node that has the attempt; null: this one. */
  readonly node: string | null
  readonly executor: string | null
  readonly isolation: string | null
  /** What its sandboxes run in; null where that is no image, or not known. */
  readonly image: UsedImage | null
  /** What each sandbox may use; null where that is not known. */
  readonly limits: Limits | null
  /** Why the last attempt is over, and another one is wanted; null once that began. */
  readonly setback: string | null
  readonly createdAt: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly isCancelling: boolean
  readonly failure: Failure | null
  readonly result: Result | null
  readonly diffStat: DiffStat | null
  readonly ref: string | null
  readonly plan: Body<'agent.plan'>['entries']
  readonly checks: readonly CheckStory[]
  readonly usage: {
    readonly requests: number
    readonly inputTokens: number
    readonly outputTokens: number
    readonly durationMs: number
  }
  /** What the agent itself says of its context and of money. */
  readonly agentUsage: Body<'agent.usage'> | null
  /** Not answered yet. */
  readonly questions: readonly Question[]
  readonly entries: readonly Entry[]
}

export const BEGINNING: Story = {
  n: 0,
  state: 'queued',
  epoch: 0,
  title: '',
  agent: '',
  agentVersion: null,
  model: null,
  node: null,
  executor: null,
  isolation: null,
  image: null,
  limits: null,
  setback: null,
  createdAt: null,
  startedAt: null,
  endedAt: null,
  isCancelling: false,
  failure: null,
  result: null,
  diffStat: null,
  ref: null,
  plan: [],
  checks: [],
  usage: { requests: 0, inputTokens: 0, outputTokens: 0, durationMs: 0 },
  agentUsage: null,
  questions: [],
  entries: [],
}

/** The story with some more events in it, in their order. */
export function tell(story: Story, events: readonly JobEvent[]): Story {
  // Copied once for them all: a long story would cost its length for each.
  const draft = { ...story, entries: [...story.entries] }
  for (const event of events) Object.assign(draft, { n: event.n }, change(draft, event))
  return draft
}

type Draft = Omit<Story, 'entries'> & { entries: Entry[] }

function change(story: Draft, event: JobEvent): Partial<Story> {
  const { body, at, n } = event
  const note = (text: string, tone: 'plain' | 'warn' | 'bad' = 'plain') =>
    void story.entries.push({ n, at, kind: 'note', tone, text })
  const setback = (text: string): Partial<Story> => {
    note(text, 'warn')
    return { node: null, executor: null, isolation: null, image: null, limits: null, setback: text, questions: [] }
  }
  switch (body.type) {
    case 'job.created':
      return { title: body.title, agent: body.agent, createdAt: at }
    case 'job.state':
      return moved(story, event, body)
    case 'job.cancel':
      note(`Asked to end: ${body.reason}`, 'warn')
      return { isCancelling: true }
    case 'attempt.started': {
      const { agent, agentVersion, model, executor, isolation, why, epoch } = body
      note(`Attempt ${epoch}: ${why}`)
      return {
        ...{ agent, agentVersion, model, executor, isolation, epoch, limits: body.limits ?? null, setback: null },
        ...{ image: null, plan: [], checks: [], questions: [], agentUsage: null },
      }
    }
    case 'attempt.image':
      return { image: body.image }
    case 'attempt.placed':
      note(`Attempt ${body.epoch} goes to ${body.name}`)
      return { node: body.name, epoch: body.epoch }
    case 'attempt.lost':
      return setback(`Attempt ${body.epoch} was lost: ${body.reason}`)
    case 'attempt.returned':
      return setback(`Attempt ${body.epoch} came back undone, and does not count: ${body.reason}`)
    case 'attempt.aside':
      return setback(`The job goes on without attempt ${body.epoch}, which may still win: ${body.reason}`)
    case 'check.started':
      return { checks: withCheck(story.checks, body.index, body.phase, 'running') }
    case 'check.ended':
      return { checks: withCheck(story.checks, body.index, body.phase, body.run) }
    case 'permission.requested':
      note(`The agent asks: ${body.title}`, 'warn')
      return { questions: [...story.questions, { ...body, at }] }
    case 'permission.answered':
      note(`Answered by ${body.by}: ${body.optionId ?? 'no'}`)
      return { questions: story.questions.filter(({ requestId }) => requestId !== body.requestId) }
    case 'model.usage':
      return { usage: withUsage(story.usage, body) }
    case 'result.committed':
      note(body.commit === null ? 'The attempt changed nothing' : `Committed ${body.commit.slice(0, 10)}`)
      return { diffStat: body.diffStat }
    case 'result.accepted':
      return { result: body.result, diffStat: body.result.diffStat, usage: body.result.usage }
    case 'result.refused':
      note(`A result was refused: ${body.reason}`, 'bad')
      return {}
    case 'result.delivered':
      return { ref: body.ref }
    case 'warning':
      note(body.detail, 'warn')
      return {}
    case 'attempt.process':
    case 'log.sealed':
      return {}
    case 'agent.plan':
      return { plan: body.entries }
    case 'agent.usage':
      return { agentUsage: body }
    case 'agent.message':
    case 'agent.thought':
    case 'agent.tool':
    case 'agent.diff':
      return said(story, event, body)
  }
}

function moved(story: Draft, { at, n }: JobEvent, body: Body<'job.state'>): Partial<Story> {
  story.entries.push({ n, at, kind: 'state', to: body.to, failure: body.failure })
  const isEnd = body.to === 'succeeded' || body.to === 'failed' || body.to === 'cancelled'
  return {
    state: body.to,
    epoch: body.epoch,
    failure: body.failure,
    ...(body.to !== 'queued' && story.startedAt === null ? { startedAt: at } : {}),
    ...(isEnd ? { endedAt: at, questions: [] } : {}),
  }
}

/** What an agent says comes in pieces; those of one kind that follow each other are one. */
function said(
  story: Draft,
  { at, n }: JobEvent,
  body: Body<'agent.message' | 'agent.thought' | 'agent.tool' | 'agent.diff'>,
): Partial<Story> {
  if (body.type === 'agent.message' || body.type === 'agent.thought') {
    const kind = body.type === 'agent.message' ? 'message' : 'thought'
    const last = story.entries.at(-1)
    if (last?.kind === kind) story.entries[story.entries.length - 1] = { ...last, text: last.text + body.text }
    else story.entries.push({ n, at, kind, text: body.text })
    return {}
  }
  const place = story.entries.findLastIndex(entry => entry.kind === 'tool' && entry.tool.id === body.toolCallId)
  const entry = story.entries[place]
  const before = entry?.kind === 'tool' ? entry.tool : null
  const tool = body.type === 'agent.tool' ? withCall(before, body) : withDiff(before, body)
  if (entry?.kind === 'tool') story.entries[place] = { ...entry, tool }
  else story.entries.push({ n, at, kind: 'tool', tool })
  return {}
}

const withCall = (before: ToolStory | null, call: Body<'agent.tool'>): ToolStory => ({
  id: call.toolCallId,
  title: call.title || (before?.title ?? ''),
  kind: call.kind,
  status: call.status,
  input: call.input ?? before?.input ?? null,
  output: call.output ?? before?.output ?? null,
  locations: call.locations.length > 0 ? call.locations : (before?.locations ?? []),
  diffs: before?.diffs ?? [],
})

function withDiff(before: ToolStory | null, diff: Body<'agent.diff'>): ToolStory {
  const tool: ToolStory = before ?? {
    id: diff.toolCallId,
    title: diff.path,
    kind: 'edit',
    status: 'completed',
    input: null,
    output: null,
    locations: [],
    diffs: [],
  }
  return { ...tool, diffs: [...tool.diffs.filter(({ path }) => path !== diff.path), diff] }
}

function withCheck(checks: Story['checks'], index: number, phase: 'base' | 'result', run: CheckRun | 'running'): Story['checks'] {
  const all = [...checks]
  while (all.length <= index) all.push({ base: null, result: null })
  all[index] = { base: null, result: null, ...all[index], [phase]: run }
  return all
}

const withUsage = (usage: Story['usage'], call: Body<'model.usage'>): Story['usage'] => ({
  requests: usage.requests + 1,
  inputTokens: usage.inputTokens + call.inputTokens,
  outputTokens: usage.outputTokens + call.outputTokens,
  durationMs: usage.durationMs + call.durationMs,
})
