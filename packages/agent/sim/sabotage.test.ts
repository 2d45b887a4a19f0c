import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Client } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { seededRandom } from './random.ts'
import { Saboteur } from './sabotage.ts'

let visits: string[] = []
const site = createServer((req, res) => {
  visits.push(req.url ?? '')
  // Every other page comes in chunks.
  if (visits.length % 2 === 0) res.write('the ')
  res.end(`${visits.length % 2 === 0 ? '' : 'the '}page at ${req.url}`)
})

beforeEach(async () => {
  visits = []
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  site.closeAllConnections()
  await new Promise((resolve) => site.close(resolve))
})

/** Fetches twenty pages over one sabotaged connection. */
const fetchTwenty = async (saboteur: Saboteur): Promise<{ status: number; body: string }[]> => {
  const { port } = site.address() as AddressInfo
  const client = new Client(`http://127.0.0.1:${port}`, {
    connect: (_options, callback) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        callback(null, saboteur.stepInto(socket) as typeof socket),
      )
    },
  })
  const answers: { status: number; body: string }[] = []
  for (let i = 0; i < 20; i += 1) {
    const { statusCode, body } = await client.request({ method: 'GET', path: `/${i}` })
    answers.push({ status: statusCode, body: await body.text() })
  }
  await client.destroy()
  return answers
}

const right = (i: number) => `the page at /${i}`

describe('the saboteur', () => {
  test('gives wrong answers, among right ones, to requests that the site did answer', async () => {
    const answers = await fetchTwenty(new Saboteur('wrong-answers', 0.3, seededRandom(1)))
    const wrong = answers.filter(({ body }, i) => body !== right(i))
    expect(wrong.length).toBeGreaterThan(0)
    expect(wrong.length).toBeLessThan(20)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(visits).toHaveLength(20)
  })

  test('loses requests: answers them 200 and empty, and never sends them', async () => {
    const answers = await fetchTwenty(new Saboteur('lose-requests', 0.3, seededRandom(1)))
    const lost = answers.flatMap(({ body }, i) => (body === '' ? [i] : []))
    expect(lost.length).toBeGreaterThan(0)
    expect(answers.every(({ status, body }, i) => status === 200 && (body === '' || body === right(i)))).toBe(true)
    expect(visits).toEqual(Array.from({ length: 20 }, (_, i) => `/${i}`).filter((_, i) => !lost.includes(i)))
  })

  test('alters pages of known length as well as pages in chunks', async () => {
    const answers = await fetchTwenty(new Saboteur('wrong-answers', 1, seededRandom(1)))
    expect(answers.filter(({ body }, i) => body === right(i))).toEqual([])
  })

  test.each([['wrong-answers'], ['lose-requests']] as const)('set to %s with probability 0 does no harm', async (mode) => {
    const answers = await fetchTwenty(new Saboteur(mode, 0, seededRandom(1)))
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 20 }, (_, i) => right(i)))
  })
})
