const step = (id: string, title: string, description: string, completionEvents: readonly string[]) => ({
  id,
  title,
  description,
  media: { image: `media/walkthrough/${id}.svg`, altText: title },
  completionEvents,
})

export const WALKTHROUGHS = [
  {
    id: 'start',
    title: 'Get Started with Skein',
    description: 'Have coding agents work on your own machines, and review what comes back.',
    steps: [
      step(
        'server',
        'The orchestrator starts by itself',
        'It runs beside the editor, one for all windows, and goes on when you close them. *Doctor* tells what was found on this machine.\n[Run Doctor](command:skein.server.doctor)',
        ['onCommand:skein.server.doctor', 'onContext:skein.server == ready'],
      ),
      step(
        'job',
        'Run a job',
        'An agent works on a copy of your repository, in a sandbox. Your files are not touched.\n[New Job](command:skein.jobs.new)',
        ['onCommand:skein.jobs.new'],
      ),
      step(
        'review',
        'Review, then apply',
        'Look at all changes side by side; apply them as one edit that *Undo* takes back, or check them out as a branch.\n[Review Changes](command:skein.jobs.review)',
        ['onCommand:skein.jobs.review', 'onCommand:skein.jobs.apply'],
      ),
      step(
        'spec',
        'Run a spec',
        'Tasks of Spec Kit documents are in the *Specs* view, each with a button to run it.\n[Open Specs](command:skein.specs.focus)',
        ['onView:skein.specs'],
      ),
      step(
        'fleet',
        'Add your other machines',
        'Run `skein serve` on another machine, and pair the two by a code. Jobs then go where they are done first.\n[Add Peer](command:skein.peers.add)',
        ['onCommand:skein.peers.add', 'onCommand:skein.peers.pair'],
      ),
    ],
  },
]
