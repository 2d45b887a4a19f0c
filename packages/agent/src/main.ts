#!/usr/bin/env node
import { createProgram } from './cli/program.ts'
import { AgentError } from './errors.ts'

try {
  await createProgram().parseAsync()
} catch (error) {
  const isExpected = error instanceof AgentError
  console.error(isExpected ? `mobilepool-agent: ${error.message}` : error)
  process.exitCode = 1
}
