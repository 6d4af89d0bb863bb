import { demoToken, expect, expectAccessible, test } from './convo';
import { createHmac } from 'node:crypto';
import { verify } from '../../internal/api/docs/samples/verify';

const pages = ['/docs', '/docs/authentication', '/docs/scopes', '/docs/rate-limits', '/docs/errors', '/docs/errors/not_found', '/docs/pagination',
  '/docs/idempotency', '/docs/receiving-webhooks', '/docs/events', '/docs/leads', '/docs/conversations', '/docs/knowledge', '/docs/webhooks', '/docs/meta',
  '/docs/search?q=lead'];

// Long pages repeat one template. Its first sections stand for the others, whose thousands of elements take axe minutes.
const repeated = ['section.endpoint:nth-of-type(n+7)'];

// Colors are the same on pages of one kind, so that dark mode needs one of each.
const kinds = ['/docs', '/docs/scopes', '/docs/errors', '/docs/receiving-webhooks', '/docs/events', '/docs/leads', '/docs/search?q=lead'];

for (const [colorScheme, paths] of [['light', pages], ['dark', kinds]] as const) {
  for (const path of paths) {
    test(`${path} is accessible in ${colorScheme} mode`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await page.goto(path);
      await expect(page.locator('h1')).toHaveCount(1);
      await expectAccessible(page, repeated);
    });
  }
}

test('search works with the keyboard alone', async ({ page }) => {
  await page.goto('/docs');
  await page.keyboard.press('/');
  await page.keyboard.type('update lead st');
  await expect(page.getByRole('option').first()).toContainText('Update lead status');
  await expectAccessible(page);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/docs/leads#updateLeadStatus');
  await expect(page.locator('#updateLeadStatus')).toBeInViewport();
});

test('copy a code sample', async ({ page }) => {
  await page.goto('/docs/leads#createLead');
  await page.getByRole('button', { name: 'Copy: curl' }).nth(1).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain('curl -X POST');
  expect(copied).toContain('$AVELTO_TOKEN');
  expect(copied).toBe(await page.locator('#createLead-curl').textContent());
});

test('choose the language of the samples', async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto('/docs/leads#createLead');
  await expect(page.locator('#createLead-curl')).toBeVisible();
  await expect(page.locator('#createLead-python')).toBeHidden();
  await page.getByRole('button', { name: 'Python' }).nth(1).click();
  await expect(page.locator('#createLead-curl')).toBeHidden();
  await expect(page.locator('#createLead-python')).toContainText('requests.post(');
  await expect(page.locator('#createLead-python b.s').first()).toBeVisible();
  await page.goto('/docs/conversations');
  await expect(page.locator('#listConversations-python')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Python' }).first()).toHaveAttribute('aria-pressed', 'true');
  const clipped = await page.locator('.sample pre').evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).length);
  expect(clipped, 'no sample is clipped').toBe(0);
  await expectAccessible(page, repeated);
});

test('the theme choice persists', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/docs');
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.getByRole('button', { name: 'Switch between light and dark mode' }).click();
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  expect(await background()).toBe(dark);
});

test('pages do not scroll horizontally on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of pages) {
    await page.goto(path);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(content, path).toBeLessThanOrEqual(screen);
  }
  await page.goto('/docs');
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('navigation', { name: 'Documentation' }).getByRole('link', { name: 'Conversations' }).click();
  await expect(page).toHaveURL('/docs/conversations');
  await expectAccessible(page, repeated);
});

test('pages have no layout shift', async ({ page }) => {
  for (const path of ['/docs', '/docs/leads', '/docs/webhooks']) {
    await page.goto(path, { waitUntil: 'networkidle' });
    const shift = await page.evaluate(() => new Promise<number>((resolve) => {
      let sum = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) sum += (entry as unknown as { value: number }).value;
      }).observe({ type: 'layout-shift', buffered: true });
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
    }));
    expect(shift, path).toBe(0);
  }
});

test('pages work without JavaScript', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL });
  const page = await context.newPage();
  await page.goto('/docs/leads');
  await expect(page.locator('#createLead-curl')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Copy: curl' }).first()).toBeHidden();
  await page.getByLabel('Search the documentation').fill('idempotency');
  await page.keyboard.press('Enter');
  await page.getByRole('main').getByRole('link', { name: 'Idempotency', exact: true }).click();
  await expect(page).toHaveURL('/docs/idempotency');
  await context.close();
});

test('the explorer sends requests to this server', async ({ page }) => {
  await page.goto('/docs/explorer');
  await page.getByRole('button', { name: 'Authorize' }).first().click();
  await page.locator('input#http_auth_value, .auth-container input').first().fill(demoToken());
  await page.locator('.auth-btn-wrapper').getByRole('button', { name: /^Apply|^Authorize/ }).first().click();
  await page.locator('.auth-btn-wrapper').getByRole('button', { name: 'Close' }).first().click();
  const operation = page.locator('#operations-Leads-listLeads');
  await operation.locator('.opblock-summary-control').click();
  const responded = page.waitForResponse((response) => response.url().includes('/api/v1/leads'));
  await operation.getByRole('button', { name: 'Execute' }).click();
  expect((await responded).status()).toBe(200);
  await expect(operation.locator('.live-responses-table td.response-col_status').last()).toContainText('200');
  await expectAccessible(page, ['#explorer']); // Swagger UI is third-party
});

test('the TypeScript sample verifies a signature', () => {
  const secret = 'wh_d07b4b02dab3b31e955aebcaf9fbd507988d2b979c6ec33e';
  const body = '{"type":"lead.created"}';
  const sign = (unix: number, key = secret) => `t=${unix},v1=${createHmac('sha256', key).update(`${unix}.${body}`).digest('hex')}`;
  const now = Math.floor(Date.now() / 1000);
  expect(() => verify(secret, sign(now), body)).not.toThrow();
  expect(() => verify(secret, `${sign(now, 'wh_other')},${sign(now).split(',')[1]}`, body)).not.toThrow();
  expect(() => verify(secret, sign(now, 'wh_other'), body)).toThrow('does not match');
  expect(() => verify(secret, sign(now - 360), body)).toThrow('outside the tolerance');
  expect(() => verify(secret, 'v1=00', body)).toThrow('outside the tolerance');
});
