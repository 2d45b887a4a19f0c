import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import type { createServer, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A bare repository with one commit on `main`; anybody may push. Returns its folder. */
export async function newRepository(folder: string): Promise<string> {
  const work = `${folder}-work`
  await mkdir(work, { recursive: true })
  const env = {
    PATH: process.env.PATH,
    HOME: work,
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@b',
  }
  const git = (...args: string[]) => run('git', args, { cwd: work, env })
  await git('init', '-q', '-b', 'main')
  await writeFile(join(work, 'a.txt'), 'a')
  await git('add', '.')
  await git('commit', '-qm', 'first')
  await git('clone', '-q', '--bare', work, folder)
  await git('-C', folder, 'config', 'http.receivepack', 'true')
  return folder
}

/** Serves a repository by git's own CGI program. */
export async function gitServer(create: typeof createServer, repository: string): Promise<{ url: string; server: Server }> {
  const { stdout } = await run('git', ['--exec-path'])
  const server = create((request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?')
    const child = spawn(join(stdout.trim(), 'git-http-backend'), {
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: dirname(repository),
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        ...(request.headers['content-length'] === undefined ? {} : { CONTENT_LENGTH: request.headers['content-length'] }),
      },
    })
    child.stdin.on('error', () => {})
    request.pipe(child.stdin)
    let head = ''
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      child.stdout.off('data', onData)
      const fields = head
        .slice(0, end)
        .split('\r\n')
        .map((line) => line.split(/: (.*)/s, 2) as [string, string])
      response.statusCode = Number(fields.find(([name]) => name === 'Status')?.[1].slice(0, 3) ?? 200)
      for (const [name, value] of fields) if (name !== 'Status') response.setHeader(name, value)
      response.write(Buffer.from(head.slice(end + 4), 'latin1'))
      child.stdout.pipe(response)
    }
    child.stdout.on('data', onData)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${repository.split('/').at(-1)}`, server }
}
