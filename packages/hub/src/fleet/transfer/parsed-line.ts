/** One device of an import before it is checked: its fields by their names in the API, still as the file has them. */
export interface ParsedLine {
  /** Of the file; of JSON the place in the list. From 1. */
  line: number
  fields: Record<string, unknown>
}

/** What cannot be read. */
export interface LineError {
  line: number
  name: string | null
  field: string
  message: string
}

/** A file taken apart. */
export interface ParsedFile {
  lines: ParsedLine[]
  errors: LineError[]
}

/** A file of which nothing can be read. */
export const unreadable = (line: number, message: string): ParsedFile => ({
  lines: [],
  errors: [{ line, name: null, field: 'content', message }],
})
