import { randomInt } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { newPassword } from '@mobilepool/sdk/contract'
import { invalid } from './open.ts'

/** Letters and digits that nobody takes for each other; 20 of them are 115 bits. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const LENGTH = 20

/** A password for a command: read from stdin, or made. Never from an argument, which every user of the machine can read. */
export async function passwordFor(isOnStdin: boolean): Promise<{ password: string; isMade: boolean }> {
  if (!isOnStdin) return { password: Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join(''), isMade: true }
  if (process.stdin.isTTY) process.stderr.write('Password, then Enter and Ctrl-D (it is shown as you type): ')
  const password = (await text(process.stdin)).replace(/\r?\n$/, '')
  const parsed = newPassword.safeParse(password)
  if (!parsed.success) throw invalid(`The password on stdin ${parsed.error.issues[0]?.message ?? 'is not valid'}.`)
  return { password, isMade: false }
}
