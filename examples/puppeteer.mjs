// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 CHROMIUM=/usr/bin/chromium node examples/puppeteer.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import puppeteer from 'puppeteer-core'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

for (const url of process.argv.slice(2)) {
  const lease = await pool.lease({ site: url })
  const { args, authenticate } = lease.puppeteer
  const flags = (process.env.CHROMIUM_FLAGS ?? '').split(' ').filter(Boolean) // in a container as root: --no-sandbox
  const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: [...flags, ...args] })
  const page = await browser.newPage()
  await page.authenticate(authenticate) // before the first page
  const response = await page.goto(url)
  if (response.status() === 403) lease.report({ banned: true })
  console.log(lease.device, response.status(), await page.$eval('body', (body) => body.innerText))
  await browser.close()
  await lease.release()
}
await pool.close()
