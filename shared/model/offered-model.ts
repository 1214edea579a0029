import * as z from 'zod'

/** Name of a model as the editor that offers it tells it: who makes it and its id there. Short, as a list of them is one message. */
export const OfferedModel = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x21-\x7e]+$/)
/** Most models that one editor offers: their names fit into one message of the stream. */
export const MOST_OFFERED_MODELS = 200
