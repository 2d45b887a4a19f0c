import { readCount, readFields, readText, readTime } from '../fleet/fields.ts'
import { known, readList, readNumber } from '../fleet/lists.ts'

/** What attempts of some time add up to; null: there were none. Times in ms. */
export interface Sums {
  readonly requests: number
  readonly successful: number
  readonly banned: number
  readonly failed: number
  /** 0 to 1. */
  readonly successRate: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly bytes: number
}

/** The fleet's figures over a time, in equal steps. */
export interface Overview {
  readonly isDaily: boolean
  readonly total: Sums
  /** `start`: ms since the epoch. */
  readonly series: readonly (Sums & { readonly start: number })[]
  readonly uniqueIps: number
  readonly repeatedIps: number
  readonly rotations: { readonly changed: number; readonly unchanged: number; readonly failed: number }
  readonly sites: readonly SiteSums[]
}

/** One line of a table: a site, a device, or a group of devices. */
export interface NamedSums extends Sums {
  /** Null: it is not known, as of devices without an operator. */
  readonly name: string | null
  /** How many devices a group has; null: it is one device. */
  readonly devices: number | null
}

/** What is told of a site. */
export interface SiteSums {
  readonly name: string
  readonly requests: number
  readonly banned: number
  readonly successRate: number | null
}

function readSums(json: unknown): Sums | null {
  const sums = readFields(json)
  const requests = readCount(sums?.requests)
  if (sums === null || requests === null) return null
  return {
    requests,
    successful: readCount(sums.successful) ?? 0,
    banned: readCount(sums.banned) ?? 0,
    failed: readCount(sums.failed) ?? 0,
    successRate: readNumber(sums.success_rate),
    p50Ms: readCount(sums.p50_ms),
    p95Ms: readCount(sums.p95_ms),
    p99Ms: readCount(sums.p99_ms),
    bytes: (readCount(sums.bytes_up) ?? 0) + (readCount(sums.bytes_down) ?? 0),
  }
}

/** Reads `GET /api/v1/stats/overview`. */
export function readOverview(json: unknown): Overview | null {
  const fields = readFields(json)
  const total = readSums(fields?.total)
  if (fields === null || total === null) return null
  const ips = readFields(fields.ips)
  const rotations = readFields(fields.rotations)
  return {
    isDaily: fields.bucket === 'day',
    total,
    series: readList(fields.series).map(readStep).filter(known),
    uniqueIps: readCount(ips?.unique) ?? 0,
    repeatedIps: readCount(ips?.repeated) ?? 0,
    rotations: {
      changed: readCount(rotations?.changed) ?? 0,
      unchanged: readCount(rotations?.unchanged) ?? 0,
      failed: readCount(rotations?.failed) ?? 0,
    },
    sites: readList(fields.sites).map(readSite).filter(known),
  }
}

function readStep(json: unknown): (Sums & { start: number }) | null {
  const sums = readSums(json)
  const start = readTime(readFields(json)?.start)
  return sums === null || start === null ? null : { ...sums, start }
}

function readSite(json: unknown): SiteSums | null {
  const site = readFields(json)
  const name = readText(site?.site)
  const requests = readCount(site?.requests)
  if (site === null || name === null || requests === null) return null
  return { name, requests, banned: readCount(site.banned) ?? 0, successRate: readNumber(site.success_rate) }
}

/** Reads `GET /api/v1/stats/devices`, of devices or of groups. */
export function readDeviceSums(json: unknown): readonly NamedSums[] | null {
  const fields = readFields(json)
  if (fields === null) return null
  const lines = readList(fields.devices).length > 0 ? readList(fields.devices) : readList(fields.groups)
  return lines
    .map((line) => {
      const sums = readSums(line)
      const own = readFields(line)
      return sums && own && { ...sums, name: readText(own.name) ?? readText(own.key), devices: readCount(own.devices) }
    })
    .filter(known)
}
