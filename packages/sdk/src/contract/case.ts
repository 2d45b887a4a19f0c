/**
 * JSON on the wire is snake_case, TypeScript is camelCase: this file is the one place that converts.
 *
 * Every key of every object is converted, so the contract has no maps with free keys
 * (a header called `x_y` would be renamed); where it needs one, it uses a list of `{ name, value }`.
 */

type CamelKey<K extends string> = K extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelKey<Tail>>}` : K

type SnakeKey<K extends string> = K extends `${infer Head}${infer Tail}`
  ? Head extends Uppercase<Head>
    ? Head extends Lowercase<Head>
      ? `${Head}${SnakeKey<Tail>}`
      : `_${Lowercase<Head>}${SnakeKey<Tail>}`
    : `${Head}${SnakeKey<Tail>}`
  : K

/** The camelCase face of a wire type. */
export type Camelized<T> = T extends readonly (infer Item)[]
  ? Camelized<Item>[]
  : T extends object
    ? { [K in keyof T as K extends string ? CamelKey<K> : K]: Camelized<T[K]> }
    : T

/** The snake_case face of a TypeScript type. */
export type Snakeized<T> = T extends readonly (infer Item)[]
  ? Snakeized<Item>[]
  : T extends object
    ? { [K in keyof T as K extends string ? SnakeKey<K> : K]: Snakeized<T[K]> }
    : T

const toCamelKey = (key: string): string => key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
const toSnakeKey = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function mapKeys(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => mapKeys(item, rename))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [rename(key), mapKeys(inner, rename)]))
}

/** Wire JSON (already validated) to camelCase. */
export const toCamel = <T>(json: T): Camelized<T> => mapKeys(json, toCamelKey) as Camelized<T>

/** camelCase to wire JSON. `undefined` fields stay `undefined`, so `JSON.stringify` leaves them out. */
export const toSnake = <T>(value: T): Snakeized<T> => mapKeys(value, toSnakeKey) as Snakeized<T>
