/** What `docs/openapi.json` and `docs/api.md` say, from what a hub serves at `/openapi.json`: by `npm run openapi` and by the test that compares. */

/** The part of JSON Schema that the hub's contract uses. */
interface Schema {
  type?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  format?: string
  pattern?: string
  additionalProperties?: Schema | boolean
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

interface Content {
  content?: Record<string, { schema?: Schema }>
}

interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  security?: Record<string, string[]>[]
  parameters?: { in: string; name: string; required?: boolean; description?: string; schema: Schema }[]
  requestBody?: Content
  responses: Record<string, (Content & { description?: string }) | { $ref: string }>
}

/** An OpenAPI document of the hub. */
export interface ApiDocument {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
}

interface Place {
  method: string
  path: string
  operation: Operation
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** Both files, the same for the same API: paths and methods have a fixed order. */
export function apiFiles(document: ApiDocument): { json: string; markdown: string } {
  const paths = Object.fromEntries(
    Object.entries(document.paths)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, methods]) => [
        path,
        Object.fromEntries(Object.entries(methods).toSorted(([a], [b]) => METHODS.indexOf(a) - METHODS.indexOf(b))),
      ]),
  )
  return { json: `${JSON.stringify({ ...document, paths }, null, 1)}\n`, markdown: markdown(paths) }
}

function markdown(paths: ApiDocument['paths']): string {
  const places = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Place => ({ method: method.toUpperCase(), path, operation })),
  )
  const tagOf = ({ operation }: Place): string => operation.tags?.[0] ?? 'other'
  const tags = [...new Set(places.map(tagOf))].toSorted()
  return [
    '# The hub’s API',
    '',
    'Made by `npm run openapi` from what the hub serves at `/openapi.json` (checked in as [openapi.json](openapi.json)); a test fails when they differ. Guide by task: [hub.md](hub.md).',
    '',
    'A key or an access token is sent as `Authorization: Bearer ...`, a key also as `X-API-Key: ...`. *Who* names the scopes of keys that may; a user who is logged in has the scope',
    '`proxy`, an admin `admin`. Whatever goes wrong is answered with a problem document (RFC 9457): `status`, `title`, `detail`, and a stable `code`. Where `?` follows a field it may be left out.',
    '',
    ...tags.flatMap((tag) => [`## ${tag}`, '', ...places.filter((place) => tagOf(place) === tag).flatMap(section)]),
  ].join('\n')
}

function section({ method, path, operation }: Place): string[] {
  const { summary = '', description, parameters = [], requestBody, responses } = operation
  const given = parameters.map(({ name, in: place, required, schema, description: said }) =>
    row([`\`${name}\`${required ? '' : '?'}`, place, typeOf(schema), limits(schema, said)]),
  )
  const body = Object.entries(requestBody?.content ?? {}).flatMap(([type, { schema = {} }]) => fields(type, schema))
  const rows = [...given, ...body]
  const answers = Object.entries(responses).flatMap(([status, response]) => ('$ref' in response ? [] : answer(status, response)))
  return [
    `### \`${method} ${path}\``,
    '',
    `${summary}. Who: ${who(operation)}.`,
    ...(description === undefined ? [] : ['', description]),
    ...(rows.length === 0 ? [] : ['', '| field | in | type | |', '|---|---|---|---|', ...rows]),
    '',
    ...answers,
    '',
  ]
}

function who({ security = [] }: Operation): string {
  const roles = [...new Set(security.flatMap((scheme) => Object.values(scheme).flat()))].map((role) => `\`${role}\``).join(', ')
  if (roles === '') return 'everybody'
  return security.some((scheme) => Object.keys(scheme).length === 0) ? `everybody (a key that is brought must be good: ${roles})` : roles
}

function fields(type: string, schema: Schema): string[] {
  const { properties, required = [] } = schema
  if (!properties) return [row(['the body', type, typeOf(schema), limits(schema)])]
  return Object.entries(properties).map(([name, field]) =>
    row([`\`${name}\`${required.includes(name) && field.default === undefined ? '' : '?'}`, 'body', typeOf(field), limits(field)]),
  )
}

function answer(status: string, { content, description }: Content & { description?: string }): string[] {
  const types = Object.entries(content ?? {})
  const said = description === undefined || description === 'Default Response' ? '' : ` ${description}`
  if (types.length === 0) return [`- **${status}**${said || ' without a body'}`]
  return types.map(
    ([type, { schema = {} }]) => `- **${status}** ${type === 'application/json' ? '' : `${type} `}\`${shape(schema, 0)}\`${said}`,
  )
}

/** A type in one cell. */
function typeOf(schema: Schema): string {
  return `\`${shape(schema, 1).replaceAll('|', '\\|')}\``
}

/** A schema in one line; deeper objects are cut. */
function shape(schema: Schema, depth: number): string {
  const { type, properties, required = [], items, anyOf, oneOf, allOf, enum: values, const: only, additionalProperties } = schema
  if (only !== undefined) return JSON.stringify(only)
  if (values) return values.map((value) => JSON.stringify(value)).join(' | ')
  const choices = anyOf ?? oneOf
  if (choices) return [...new Set(choices.map((choice) => shape(choice, depth)))].join(' | ')
  if (allOf) return allOf.map((part) => shape(part, depth)).join(' & ')
  if (items) {
    const inner = shape(items, depth)
    return inner.includes(' | ') ? `(${inner})[]` : `${inner}[]`
  }
  if (properties) {
    if (depth > 1) return '{…}'
    const inner = Object.entries(properties).map(
      ([name, field]) => `${name}${required.includes(name) ? '' : '?'}: ${shape(field, depth + 1)}`,
    )
    return inner.length === 0 ? '{}' : `{ ${inner.join(', ')} }`
  }
  if (typeof additionalProperties === 'object') return `{ [name]: ${shape(additionalProperties, depth + 1)} }`
  return schema.format ?? type ?? 'anything'
}

function limits(schema: Schema, said = schema.description): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema
  const span = (least: number | undefined, most: number | undefined, unit: string): string[] => {
    // The bounds that every safe integer has say nothing.
    const says = (bound: number | undefined): bound is number => bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER
    if (says(least)) return [says(most) ? `${least} to ${most}${unit}` : `at least ${least}${unit}`]
    return says(most) ? [`at most ${most}${unit}`] : []
  }
  const parts = [
    ...(said === undefined ? [] : [said]),
    ...span(minimum, maximum, ''),
    ...span(minLength, maxLength, ' characters'),
    ...span(minItems, maxItems, ' entries'),
    ...(schema.default === undefined ? [] : [`default \`${JSON.stringify(schema.default)}\``]),
  ]
  return parts.join('; ')
}

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('\n', ' ')).join(' | ')} |`
