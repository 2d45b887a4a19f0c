import { z } from 'zod'
import { label, timestamp } from './names.ts'

/** A plain URL that rotates one device. */
export const rotationLink = z.object({
  id: z.uuid(),
  /** For people: who has it. */
  name: label,
  created_at: timestamp,
  last_used_at: timestamp.nullable(),
  /** Rotations that it began. */
  used_count: z.int().nonnegative(),
})

/** Body of `POST /api/v1/admin/devices/{id}/rotation-links`. */
export const rotationLinkCreate = z.strictObject({ name: label.default('link') })

/** 201: the URL is shown this once. `POST` to it rotates; so does `GET` with `?confirm=1`; a bare `GET` asks first. */
export const rotationLinkReply = z.object({ link: rotationLink, url: z.url() })

/** Reply of `GET /api/v1/admin/devices/{id}/rotation-links`. */
export const rotationLinkList = z.object({ links: z.array(rotationLink) })
