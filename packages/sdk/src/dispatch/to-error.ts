/** What was thrown or given as a reason, as an `Error`: anything else becomes its message. */
export const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
