const jobId = { type: 'string', description: 'Id of a job, as skein_run_job gave it.' }

/** What the chat knows of Skein. */
export const CHAT = {
  chatParticipants: [
    {
      id: 'skein.chat',
      name: 'skein',
      fullName: 'Skein',
      description: 'Have it done on the fleet',
      isSticky: true,
      commands: [
        { name: 'run', description: 'Run a job on the fleet and follow it' },
        { name: 'status', description: 'Jobs that run, wait or ended lately' },
        { name: 'spec', description: 'Features of this workspace, their tasks and coverage' },
        { name: 'peers', description: 'Nodes of the fleet and what they do now' },
        { name: 'context', description: 'Search what the orchestrator knows' },
      ],
      disambiguation: [
        {
          category: 'fleet',
          description: 'The user wants a coding task done by an agent on another machine, or asks about jobs, peers or specs of Skein.',
          examples: ['Run the next task of the spec on the fleet', 'What are my jobs doing?', 'Which machines are online in Skein?'],
        },
      ],
    },
  ],
  languageModelTools: [
    {
      name: 'skein_run_job',
      displayName: 'Run a Job on the Fleet',
      toolReferenceName: 'skeinRun',
      canBeReferencedInPrompt: true,
      icon: '$(run)',
      tags: ['skein'],
      userDescription: 'Have a coding agent do a task on a copy of this repository, in a sandbox',
      modelDescription:
        'Starts a coding agent on a copy of the repository of this workspace, in a sandbox on one of the machines of the user, and returns the id of the job. The work tree is not changed: the user reviews and applies the result. Takes minutes; ask skein_job_status how it goes.',
      inputSchema: {
        type: 'object',
        properties: {
          task: { type: 'string', description: 'What to do, as a prompt for a coding agent that sees only the repository.' },
          check: { type: 'string', description: 'Shell command that must succeed on the result, such as "npm test".' },
        },
        required: ['task'],
      },
    },
    {
      name: 'skein_job_status',
      displayName: 'Status of a Job',
      toolReferenceName: 'skeinJob',
      canBeReferencedInPrompt: true,
      icon: '$(pulse)',
      tags: ['skein'],
      userDescription: 'How a job stands, or which jobs there are',
      modelDescription:
        'How a job of Skein stands: state, result, changed files, checks before and after. Without an id: the newest jobs.',
      inputSchema: { type: 'object', properties: { jobId } },
    },
    {
      name: 'skein_spec',
      displayName: 'Tasks of a Spec',
      toolReferenceName: 'skeinSpec',
      canBeReferencedInPrompt: true,
      icon: '$(book)',
      tags: ['skein'],
      userDescription: 'Features, tasks and requirements of the Spec Kit documents here',
      modelDescription:
        'Features of the Spec Kit documents in this workspace; with a feature: its user stories, requirements and tasks with their states.',
      inputSchema: {
        type: 'object',
        properties: { feature: { type: 'string', description: 'Folder of the feature, such as 001-login.' } },
      },
    },
  ],
  languageModelChatProviders: [{ vendor: 'skein', displayName: 'Skein' }],
}
