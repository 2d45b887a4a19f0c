/** What is said to the embedded database's thread. */
export type ToWorker = { type: 'query'; id: number; sql: string; parameters: unknown[] } | { type: 'close' }

/** What it says. */
export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; message: string; code?: string }
  | { type: 'result'; id: number; rows: Record<string, unknown>[]; rowCount: number }
  | { type: 'error'; id: number; message: string; code?: string }
