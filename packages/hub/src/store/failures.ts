import { HubError } from '../errors.ts'

/** SQLSTATE classes and socket errors that mean "the database does not answer", as opposed to "it did not like the query". */
const DOWN_CODES = new Set(['57014', '57P01', '57P02', '57P03', '53100', '53200', '53300', '25006', '28000', '28P01', '3D000'])
const SOCKET_CODE = /^E(?!RR_)[A-Z_]{3,}$/
const DOWN_MESSAGE =
  /connection terminated|timeout exceeded when trying to connect|query read timeout|connection error|not queryable|driver has already been destroyed|cannot use a pool/i

/** What drivers put on their errors. */
interface DriverError {
  code?: unknown
  message?: unknown
}

const codeOf = (error: unknown): string => String((error as DriverError | null)?.code ?? '')

/** Whether an error says that the database is away, not that the statement is wrong. */
export function isDatabaseDown(error: unknown): boolean {
  if (error instanceof HubError) return error.code === 'database_down'
  const code = codeOf(error)
  if (DOWN_CODES.has(code) || code.startsWith('08') || SOCKET_CODE.test(code)) return true
  return DOWN_MESSAGE.test(String((error as DriverError | null)?.message ?? ''))
}

/** Whether a value in the statement was the fault (SQLSTATE 22 and 23): the rest of its group may well pass. */
export const isBadValue = (error: unknown): boolean => /^2[23]/.test(codeOf(error))

/** Whether a unique index said no. */
export const isDuplicate = (error: unknown): boolean => codeOf(error) === '23505'

/** Awaits a query; a database that does not answer becomes HubError `database_down`, everything else passes unchanged. */
export async function query<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof HubError || !isDatabaseDown(error)) throw error
    throw new HubError('database_down', 'The database does not answer. The hub tries again by itself; try later.', { cause: error })
  }
}
