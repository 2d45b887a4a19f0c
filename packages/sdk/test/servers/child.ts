import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'

/** What a server in a process of its own can be asked for. */
export type ChildCalls = Record<string, (...args: never[]) => Serializable | Promise<Serializable>>

interface Question {
  readonly id: number
  readonly name: string
  readonly args: never[]
}
interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** To be called by the script of such a process: answers questions until its parent is gone. */
export function serveParent(calls: ChildCalls): void {
  const answer = async ({ id, name, args }: Question): Promise<Answer> => {
    try {
      return { id, value: await calls[name]?.(...args) }
    } catch (error) {
      return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
  }
  process.on('message', (question: Question) => void answer(question).then((said) => process.send?.(said)))
  process.once('disconnect', () => process.exit(0))
  process.send?.({ id: 0 } satisfies Answer)
}

/** A server in a process of its own, so that its sockets, heap and CPU time are not its caller's. */
export interface Child<Calls extends ChildCalls> {
  readonly pid: number
  ask<Name extends keyof Calls & string>(name: Name, ...args: Parameters<Calls[Name]>): Promise<Awaited<ReturnType<Calls[Name]>>>
  stop(): Promise<void>
}

/** Starts a script that calls `serveParent`; resolves when it does. Its exit fails whatever was asked and not answered. */
export async function startChild<Calls extends ChildCalls>(script: URL, args: readonly string[] = []): Promise<Child<Calls>> {
  const child: ChildProcess = fork(script, args, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const asked = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  const exited = once(child, 'exit')
  let lastId = 0
  const ready = new Promise<void>((resolve, reject) => asked.set(0, { resolve: () => resolve(), reject }))
  child.on('message', ({ id, value, error }: Answer) => {
    const question = asked.get(id)
    asked.delete(id)
    if (error === undefined) question?.resolve(value as never)
    else question?.reject(new Error(error))
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of asked.values()) reject(new Error(`${script.pathname} ended (${signal ?? code})`))
    asked.clear()
  })
  await ready
  return {
    pid: child.pid ?? 0,
    ask: (name, ...rest) =>
      new Promise((resolve, reject) => {
        asked.set(++lastId, { resolve, reject })
        child.send({ id: lastId, name, args: rest })
      }),
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
