import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Answer } from '../client.ts'

type Schema = Record<string, unknown>

interface Parameter {
  in: 'path' | 'query' | 'header'
  name: string
  required?: boolean
  schema: Schema
}

interface ResponseObject {
  content?: Record<string, { schema: Schema }>
}

/** As the hub serves it. */
interface Document {
  paths: Record<string, Record<string, OperationObject>>
  components: { responses: Record<string, ResponseObject> }
}

interface OperationObject {
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> }
  responses: Record<string, ResponseObject | { $ref: string }>
}

/** One operation of the served description. */
export interface Operation {
  /** `GET /status`. */
  readonly name: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly Parameter[]
  /** Types of a body that it takes; none: it takes no body. */
  readonly bodyTypes: readonly string[]
  /** What is wrong with an answer by the description; null: nothing. */
  complaint(answer: Answer): string | null
}

/** The operations of an OpenAPI document, each able to judge an answer. */
export function operationsOf({ paths, components }: Document): Operation[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const operations: Operation[] = []
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { parameters = [], requestBody, responses }] of Object.entries(methods)) {
      const validators = new Map<string, Map<string, ValidateFunction>>()
      for (const [status, response] of Object.entries(responses)) {
        const { content = {} } = '$ref' in response ? (components.responses[response.$ref.split('/').at(-1) ?? ''] ?? {}) : response
        validators.set(status, new Map(Object.entries(content).map(([type, { schema }]) => [type, ajv.compile(schema)])))
      }
      operations.push({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        parameters,
        bodyTypes: Object.keys(requestBody?.content ?? {}),
        complaint: (answer) => complaintAbout(answer, validators),
      })
    }
  return operations
}

function complaintAbout(answer: Answer, validators: ReadonlyMap<string, ReadonlyMap<string, ValidateFunction>>): string | null {
  const { status, headers, json, text } = answer
  const described = validators.get(String(status)) ?? validators.get(`${Math.floor(status / 100)}XX`)
  if (!described) return `${status} is not described: ${text.slice(0, 200)}`
  const type = (headers['content-type'] ?? '').split(';')[0] ?? ''
  if (status === 204) return text === '' ? null : 'a 204 with a body'
  if (status >= 400 && !Object.hasOwn(json ?? {}, 'status')) return `${status} is no problem document (${type}): ${text.slice(0, 200)}`
  if (status >= 400 && type === 'application/problem+json' && json.status !== status)
    return `the problem says ${json.status}, the answer ${status}`
  const validate = described.get(type)
  if (!validate) return `${status} as ${type} is not described`
  const isValid: unknown = validate(type.includes('json') && !type.includes('ndjson') ? json : text)
  if (isValid === true) return null
  return `${status}: ${(validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || 'the answer'} ${message}`).join('; ')}`
}
