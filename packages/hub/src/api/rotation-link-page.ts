import type { FastifyReply } from 'fastify'

/** The page on which a person confirms that a device is to rotate. Device names hold no character that HTML would read (contract/names.ts). */
export const confirmationPage = (reply: FastifyReply, deviceName: string): FastifyReply =>
  reply
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-robots-tag', 'noindex')
    .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
    .type('text/html; charset=utf-8')
    .send(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Rotate ${deviceName}</title>
<style>body{font:1.1rem system-ui,sans-serif;max-width:28rem;margin:20vh auto;padding:0 1rem;text-align:center}button{font:inherit;padding:.7rem 1.6rem}</style></head>
<body><h1>${deviceName}</h1><p>Give this device a new IP address? Its connections will be cut.</p>
<form method="post"><button type="submit">Rotate now</button></form></body>
</html>
`)
