/** What a thrown thing says: the message of an error, the text of anything else. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
