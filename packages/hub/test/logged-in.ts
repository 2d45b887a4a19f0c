import type { Answer, Ask } from './client.ts'
import type { TestHub } from './hub.ts'

/** A user of the tests who is logged in. */
export interface LoggedInUser {
  readonly id: string
  readonly username: string
  readonly password: string
  /** The access token. */
  token: string
  /** The refresh cookie as a browser sends it back. */
  cookie: string
  /** A request with the access token. */
  ask(path: string, ask?: Ask): Promise<Answer>
}

/** The refresh cookie of an answer as a browser sends it back; empty: there is none. */
export const cookieOf = ({ headers }: Answer): string => headers['set-cookie']?.[0]?.split(';', 1)[0] ?? ''

/** Makes a user. */
export async function makeUser(hub: TestHub, username: string, over: Record<string, unknown> = {}): Promise<Answer['json']> {
  const body = { username, password: `${username} and ten more`, ...over }
  const made = await hub.ask('/api/v1/users', { method: 'POST', key: 'admin', body })
  if (made.status !== 201) throw new Error(`${made.status} ${made.text}`)
  return made.json
}

export const login = (hub: TestHub, username: string, password: string, over: Ask = {}): Promise<Answer> =>
  hub.ask('/api/v1/auth/login', { method: 'POST', body: { username, password }, ...over })

/** Makes a user and logs him in. */
export async function loggedIn(hub: TestHub, username: string, over: Record<string, unknown> = {}): Promise<LoggedInUser> {
  const { id } = await makeUser(hub, username, over)
  const password = `${username} and ten more`
  const answer = await login(hub, username, password)
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  const user: LoggedInUser = {
    id,
    username,
    password,
    token: answer.json.access_token,
    cookie: cookieOf(answer),
    ask: (path, ask = {}) => hub.ask(path, { key: user.token, ...ask }),
  }
  return user
}
