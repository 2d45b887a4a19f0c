/**
 * `npm test`: lint, types, build, every test, package checks. Runs all of it even when a step fails, then says what failed.
 * The last line is `N passed, N failed` (with `, N skipped` where tests were skipped): each test counts as one, each other step as one.
 * In CI (env CI) a skipped test is a failure.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

interface Step {
  name: string
  command: string
  args: string[]
}

const root = join(import.meta.dirname, '..')
const results = join(root, 'test-results')
const report = join(results, 'vitest.json')

const beforeTests: Step[] = [
  { name: 'lint: code style and mistakes', command: 'biome', args: ['ci', '--error-on-warnings', '.'] },
  { name: 'lint: who imports whom', command: 'depcruise', args: ['packages'] },
  { name: 'lint: nothing unused', command: 'knip', args: [] },
  { name: 'types', command: 'tsc', args: ['-p', 'tsconfig.json'] },
  { name: 'types: the page', command: 'npm', args: ['run', '--silent', 'typecheck', '-w', 'packages/dashboard-static'] },
  { name: 'build', command: 'npm', args: ['run', '--silent', 'build'] },
]

const afterTests: Step[] = ['sdk', 'hub', 'agent'].flatMap((name) => [
  { name: `package ${name}: publint`, command: 'publint', args: ['--strict', `packages/${name}`] },
  {
    name: `package ${name}: types resolve`,
    command: 'attw',
    args: ['--pack', `packages/${name}`, ...(name === 'sdk' ? [] : ['--profile', 'esm-only'])],
  },
])

let passed = 0
let failed = 0
let skipped = 0
const failures: string[] = []

function run({ command, args }: Step): number {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status ?? 1
}

function check(step: Step): void {
  console.log(`\n── ${step.name}`)
  if (run(step) === 0) passed += 1
  else {
    failed += 1
    failures.push(step.name)
  }
}

interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { name: string; status: string; message?: string; assertionResults: { status: string; fullName: string }[] }[]
}

function runTests(): void {
  console.log('\n── tests')
  mkdirSync(results, { recursive: true })
  rmSync(report, { force: true })
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const status = run({ name: 'tests', command: 'vitest', args })
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = readReport()
  passed += numPassedTests
  failed += numFailedTests
  skipped += numPendingTests + numTodoTests
  for (const file of testResults) {
    const broken = file.assertionResults.filter((test) => test.status === 'failed')
    failures.push(...broken.map((test) => test.fullName))
    if (file.status === 'failed' && broken.length === 0) {
      failed += 1
      failures.push(`${file.name}: ${file.message ?? 'did not run'}`)
    }
  }
  if (status !== 0 && failures.length === 0) {
    failed += 1
    failures.push('vitest failed outside of any test (see above)')
  }
}

function readReport(): VitestReport {
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as VitestReport
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  }
}

for (const step of beforeTests) check(step)
runTests()
for (const step of afterTests) check(step)

if (process.env.CI && skipped > 0) {
  failures.push(`${skipped} tests were skipped, which CI does not allow`)
  failed += skipped
  skipped = 0
}
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((name) => `  ${name}`).join('\n')}`)
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed === 0 ? 0 : 1
