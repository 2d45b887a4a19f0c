import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Logger } from 'pino'
import { HubError } from '../errors.ts'

/** How often it is looked whether the files have changed. */
const LOOK_MS = 10_000

/** What a TLS server needs. */
export interface TlsContext {
  cert: Buffer
  key: Buffer
  minVersion: 'TLSv1.2'
}

/** The certificate's files. */
export interface TlsFiles {
  cert: string
  key: string
}

/** The files that the options name, or null: no TLS. @throws HubError `config_invalid` when one is without the other */
export function tlsFiles({ tlsCert, tlsKey }: { tlsCert: string | null; tlsKey: string | null }): TlsFiles | null {
  if (tlsCert === null && tlsKey === null) return null
  if (tlsCert === null || tlsKey === null)
    throw new HubError('config_invalid', `TLS_CERT and TLS_KEY go together: ${tlsCert === null ? 'TLS_CERT' : 'TLS_KEY'} is missing.`)
  return { cert: tlsCert, key: tlsKey }
}

/** Reads certificate and key, and makes sure that they belong together. @throws HubError `config_invalid` that names the file */
export async function readTls(files: TlsFiles): Promise<TlsContext> {
  const [cert, key] = await Promise.all([read('TLS_CERT', files.cert), read('TLS_KEY', files.key)])
  const context: TlsContext = { cert, key, minVersion: 'TLSv1.2' }
  try {
    createSecureContext(context)
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'not PEM'
    throw new HubError('config_invalid', `TLS_CERT (${files.cert}) and TLS_KEY (${files.key}) are no certificate and its key (${why}).`, {
      cause,
    })
  }
  return context
}

/**
 * Takes new certificates over when the files change, for new connections; files that are half written or wrong are left alone, and said
 * in the log. Returns what stops it.
 */
export function watchTls(
  files: TlsFiles,
  { take, log, everyMs = LOOK_MS }: { take: (context: TlsContext) => void; log: Logger; everyMs?: number },
): () => void {
  let known: string | null = null
  let isBusy = false
  const look = async (): Promise<void> => {
    const stats = await Promise.all([stat(files.cert), stat(files.key)])
    const version = stats.map(({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`).join()
    if (known !== null && known !== version) {
      take(await readTls(files))
      log.info({ cert: files.cert }, 'A new certificate is in use.')
    }
    known = version
  }
  let complaint: string | null = null
  const tick = async (): Promise<void> => {
    if (isBusy) return
    isBusy = true
    try {
      await look()
      complaint = null
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      // Said once, not every ten seconds.
      if (complaint !== message) log.error(`The certificate could not be read again; the old one stays in use: ${message}`)
      complaint = message
    } finally {
      isBusy = false
    }
  }
  void tick()
  const timer = setInterval(() => void tick(), everyMs)
  return () => clearInterval(timer)
}

async function read(name: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new HubError('config_invalid', `${name}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'}).`, {
      cause,
    })
  }
}
