import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { demoToken, expect, expectAccessible, session, test } from './convo';

test.use({ storageState: session });

test('create, use, rotate and revoke a token', async ({ page, request, baseURL }) => {
  const name = 'Browser test';
  await page.goto('/app/settings/api-tokens');
  await expectAccessible(page);
  await page.getByRole('link', { name: 'New token' }).click();
  await expectAccessible(page);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('leads:read').check();
  await page.getByLabel('Expires').selectOption('in 30 days');
  await page.getByRole('button', { name: 'Create token' }).click();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Copy' }).click();
  const token = await page.evaluate(() => navigator.clipboard.readText());
  expect(token).toMatch(/^convo_[0-9a-f]{32}$/);
  const fetchStatus = async (key: string) => (await request.get(`${baseURL}/api/v1/leads`, { headers: { Authorization: `Bearer ${key}` } })).status();
  expect(await fetchStatus(token)).toBe(200);
  await page.getByRole('link', { name: 'Done' }).click();
  const row = page.getByRole('row', { name }).first();
  await expect(row).toContainText(`convo_…${token.slice(-4)}`);
  await page.goBack();
  await expect(page.locator('body')).not.toContainText(token);
  await page.goto('/app/settings/api-tokens');
  await row.getByRole('link', { name: `Rotate ${name}` }).click();
  await expectAccessible(page);
  await page.getByLabel('Expire the old token').selectOption('immediately');
  await page.getByRole('button', { name: 'Rotate token' }).click();
  const second = (await page.locator('[data-secret]').textContent())!;
  expect(await fetchStatus(second)).toBe(200);
  await expect.poll(() => fetchStatus(token)).toBe(401);
  await page.getByRole('link', { name: 'Done' }).click();
  await row.getByRole('link', { name: `Revoke ${name}` }).click();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Revoke token' }).click();
  await expect(page.getByRole('status')).toContainText('” revoked.');
  await expect.poll(() => fetchStatus(second)).toBe(401);
});

test('create a webhook and inspect its deliveries', async ({ page, request, baseURL }) => {
  const received: IncomingMessage[] = [];
  const receiver = createServer((incoming, response) => {
    received.push(incoming);
    incoming.resume();
    response.end('ok');
  });
  await new Promise<void>((listening) => { receiver.listen(0, '127.0.0.1', listening); });
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  await page.goto('/app/settings/webhooks');
  await page.getByRole('link', { name: 'New webhook' }).click();
  await expectAccessible(page);
  await page.getByLabel('Endpoint URL').fill(url);
  await page.getByLabel('lead.created').check();
  await page.getByRole('button', { name: 'Create webhook' }).click();
  await expect(page.locator('[data-secret]')).toHaveText(/^wh_[0-9a-f]{48}$/);
  await page.getByRole('link', { name: 'View webhook' }).click();
  await page.getByRole('button', { name: 'Send test event' }).click();
  await expect(page.getByRole('status')).toContainText('test event succeeded: status 200');
  await request.post(`${baseURL}/api/v1/leads`, { headers: { Authorization: `Bearer ${demoToken()}` }, data: { fields: { name: 'Watched' } } });
  await expect.poll(() => received.length).toBe(2);
  await expect(async () => {
    await page.getByRole('link', { name: 'Refresh' }).click();
    await expect(page.getByRole('row', { name: 'lead.created' })).toContainText('SUCCEEDED', { timeout: 500 });
  }).toPass();
  await expectAccessible(page);
  await page.getByRole('row', { name: 'lead.created' }).getByRole('button', { name: /^Redeliver/ }).click();
  await expect(page.getByRole('status')).toContainText('queued again');
  await expect.poll(() => received.length).toBe(3);
  page.on('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('status')).toContainText('deleted');
  receiver.close();
});

test('destructive actions ask for confirmation', async ({ page, request, baseURL }) => {
  const made = await request.post(`${baseURL}/api/v1/integrations/webhook`, {
    headers: { Authorization: `Bearer ${demoToken()}` }, data: { type: 'WEBHOOK', url: 'https://hooks.example.com/kept', events: ['lead.created'] },
  });
  await page.goto(`/app/settings/webhooks/${(await made.json()).id}`);
  await expect(page.getByText('No deliveries yet')).toBeVisible();
  page.on('dialog', (dialog) => dialog.dismiss());
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('hooks.example.com/kept');
  await page.goto('/app/settings/webhooks');
  await expectAccessible(page);
});

test('analytics show charts with tables', async ({ page }) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto('/app/analytics');
    await expectAccessible(page);
  }
  await page.getByLabel('Range').selectOption('Custom dates');
  await page.getByLabel('Start date').fill('2026-04-01');
  await page.getByLabel('End date').fill('2026-04-30');
  await page.getByLabel('Interval').selectOption('day');
  await page.getByLabel('Group by').selectOption('channel');
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(/groupBy=channel/);
  await expect(page.getByRole('img', { name: /^Conversations opened: \d+ in total/ })).toBeVisible();
  expect(await page.locator('.bar-mark').count()).toBeGreaterThan(20);
  await page.getByText('View as table: Conversations opened').click();
  await expect(page.getByRole('region', { name: 'Conversations opened' }).getByRole('row')).toHaveCount(31);
  await expectAccessible(page);
});

test('the audit log shows actors and actions', async ({ page, request, baseURL }) => {
  await request.post(`${baseURL}/api/v1/leads`, { headers: { Authorization: `Bearer ${demoToken()}` }, data: { fields: { name: 'Audited' } } });
  await expect(async () => {
    await page.goto('/app/settings/audit');
    await expect(page.getByText('Lead created').first()).toBeVisible({ timeout: 500 });
  }).toPass();
  await expect(page.getByText('Sign-in succeeded').first()).toBeVisible();
  await expectAccessible(page);
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Export as CSV' }).click();
  expect((await download).suggestedFilename()).toBe('audit-demo.csv');
  await page.getByLabel('Actor').selectOption('Users');
  await expect(page).toHaveURL(/by=USER/);
  await expect(page.getByText('Lead created')).toHaveCount(0);
});

test('no page is wider than a phone, and the menu leads to all of them', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/app');
  await page.getByRole('button', { name: 'Menu' }).click();
  const menu = page.getByRole('navigation', { name: 'Console' });
  await expect(menu).toBeVisible();
  await expectAccessible(page);
  const paths = await menu.getByRole('link').evaluateAll((links) => links.map((link) => link.getAttribute('href')!).filter((path) => path.startsWith('/app')));
  expect(paths.length).toBeGreaterThan(5);
  for (const path of [...paths, '/app/settings/api-tokens/new', '/app/settings/webhooks/new']) {
    await page.goto(path);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(content, path).toBeLessThanOrEqual(screen);
  }
  await page.getByRole('link', { name: 'Convo', exact: true }).click();
  await expect(page).toHaveURL(paths[0]!);
});
