import * as z from 'zod'
import { ModelAnswer, ModelQuestion } from '../model/index.ts'
import { operation } from './operation.ts'

const params = z.strictObject({ id: z.uuid() })

/** What an editor that offers its models (topic `models`) asks and answers. */
export const modelOperations = {
  getModelQuestion: () =>
    operation({
      summary: 'What is asked of a model that an editor offers',
      method: 'GET',
      path: '/v1/model-questions/:id',
      access: 'local',
      role: 'admin',
      params,
      answer: { kind: 'json', schema: ModelQuestion },
      status: [200],
      errors: ['not_found'],
    }),
  answerModelQuestion: () =>
    operation({
      summary: 'The next piece of its answer; taken when whoever asked has room for it',
      method: 'POST',
      path: '/v1/model-questions/:id',
      access: 'local',
      params,
      body: ModelAnswer,
      answer: {
        kind: 'json',
        schema: z.strictObject({ isWanted: z.boolean().describe('False: nobody waits for the rest.') }),
      },
      status: [200],
      errors: ['not_found'],
    }),
} as const
