/**
 * Pictures of the page in its main states, for looking at: `node test/browser/shots.mjs OUT_DIR`.
 * Not a test. Needs `npm run build` and the digits.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { serve } from '../fake/server.mjs'
import { digitsFiles, figure, launch, reaches, unlabelled } from './page.mjs'

const out = process.argv[2] ?? 'node_modules/.cache/shots'
const digits =
  process.env.SYNAPTIC_DIGITS ?? new URL('../../../data/digits.csv', import.meta.url).pathname
mkdirSync(out, { recursive: true })
const files = digitsFiles(digits)
const browser = await launch()
const server = await serve()

for (const [scheme, width] of [
  ['light', 1240],
  ['dark', 1240],
  ['light', 400],
]) {
  const context = await browser.newContext({
    colorScheme: scheme,
    viewport: { width, height: 900 },
  })
  const page = await context.newPage()
  const shoot = (name) =>
    page.screenshot({ path: join(out, `${name}-${scheme}-${width}.png`), fullPage: true })
  await page.goto(server.origin)
  await page.waitForTimeout(300)
  await shoot('1-landing')
  await page.goto(`${server.origin}/#join=eyJ2Ijox`)
  await page.locator('[data-problem]').waitFor()
  await shoot('2-bad-link')
  await page.goto(server.join)
  await reaches(page, 'joined')
  await page.waitForTimeout(600)
  await shoot('3-joined')
  await page.setInputFiles('[data-input="rows"]', files.rows)
  await page.setInputFiles('[data-input="test"]', files.test)
  await page.click('[data-action="train-alone"]')
  await figure(page, 'data-accuracy-alone')
  await page.click('[data-action="join-run"]')
  await page.waitForFunction(() => Number(document.querySelector('[data-round]')?.textContent) >= 8)
  await shoot('4-training')
  await reaches(page, 'finished', 60_000)
  await page.fill('[data-input="try-text"]', unlabelled(files.test, 5))
  await page.click('[data-action="try"]')
  await page.locator('[data-answers]').waitFor()
  await shoot('5-finished')
  if (width > 1000) {
    await page.reload()
    await page.route('**/fake/alive', (route) => route.abort())
    await page.locator('[data-connection="offline"]').waitFor({ timeout: 20_000 })
    await shoot('7-offline')
  }
  await page.goto('about:blank')
  await page.goto(server.dashboard)
  await reaches(page, 'training')
  await shoot('6-owner')
  await context.close()
}
await browser.close()
await server.stop()
