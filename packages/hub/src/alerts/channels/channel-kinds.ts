import type { AlertChannelKind } from '@mobilepool/sdk/contract'
import type { ChannelKind, ChannelTools, Notice, SendResult } from './channel-kind.ts'
import { email } from './email.ts'
import { slack } from './slack.ts'
import { telegram } from './telegram.ts'
import { webhook } from './webhook.ts'

/** A kind whose address is checked where it comes in, whatever it is. */
export interface AnyChannelKind {
  spacingMs: number
  /** The address as it is kept. @throws ZodError */
  read: (address: unknown) => unknown
  target: (address: unknown) => string
  deliver: (address: unknown, notices: readonly Notice[], tools: ChannelTools) => Promise<SendResult>
}

const any = <Address>({ address: schema, spacingMs, target, deliver }: ChannelKind<Address>): AnyChannelKind => ({
  spacingMs,
  read: (address) => schema.parse(address),
  target: (address) => target(schema.parse(address)),
  deliver: (address, notices, tools) => deliver(schema.parse(address), notices, tools),
})

/** Every kind of channel by its name. */
export const channelKinds: Readonly<Record<AlertChannelKind, AnyChannelKind>> = {
  telegram: any(telegram),
  slack: any(slack),
  email: any(email),
  webhook: any(webhook),
}
