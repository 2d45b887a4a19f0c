// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/playwright.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import { chromium } from 'playwright-core' // or 'playwright', which brings its browsers along

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM }) // none: the one that Playwright installed

for (const url of process.argv.slice(2)) {
  const lease = await pool.lease({ site: url }) // a device whose exit IP is not banned there
  const context = await browser.newContext({ proxy: lease.playwright }) // cookies of its own, exit IP of its own
  const page = await context.newPage()
  const response = await page.goto(url)
  if (response.status() === 403) lease.report({ banned: true })
  console.log(lease.device, response.status(), await page.innerText('body'))
  await context.close()
  await lease.release()
}
await browser.close()
await pool.close()
