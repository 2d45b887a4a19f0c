import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { ProxyError } from './proxy-error.ts'

/** The certificate that clients see when they speak TLS to the proxy (`curl -x https://...`). */
export interface ProxyTls {
  /** The certificate with its chain, PEM. */
  readonly cert: string | Buffer
  /** Its private key, PEM. */
  readonly key: string | Buffer
  /** Turns away clients that do not speak TLS. @default false */
  readonly required?: boolean
}

/** The encrypted side of a proxy's port. */
export class TlsFront {
  readonly isRequired: boolean
  #context: SecureContext

  /** Throws `bad_options` when certificate and key are not usable. */
  constructor(tls: ProxyTls) {
    this.isRequired = tls.required ?? false
    this.#context = contextOf(tls)
  }

  /** Takes another certificate for new connections; throws `bad_options` and keeps the old one when it is not usable. */
  renew(tls: Pick<ProxyTls, 'cert' | 'key'>): void {
    this.#context = contextOf(tls)
  }

  /** Starts the handshake on a connection whose client has begun one, and calls `onSecure` when it is done. */
  accept(socket: Socket, onSecure: () => void): TLSSocket {
    const encrypted = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      ALPNProtocols: ['http/1.1'],
    })
    encrypted.once('secure', onSecure)
    return encrypted
  }
}

function contextOf({ cert, key }: Pick<ProxyTls, 'cert' | 'key'>): SecureContext {
  try {
    return createSecureContext({ cert, key, minVersion: 'TLSv1.2' })
  } catch (error) {
    // The text of OpenSSL's errors holds no part of the key.
    throw new ProxyError('bad_options', `tls: cert and key must be a certificate and its key in PEM (${(error as Error).message}).`, {
      cause: error,
    })
  }
}
