import { demoToken, expect, expectAccessible, session, test } from './convo';

test.use({ storageState: session });

test('a conversation is handed off, answered, interrupted and closed', async ({ page, request, quiet }) => {
  quiet.allow(/ERR_INTERNET_DISCONNECTED/);
  const channels = await (await request.get('/api/v1/channels?limit=50', { headers: { Authorization: `Bearer ${demoToken()}` } })).json();
  const channel = channels.find(({ type }: { type: string }) => type === 'TELEGRAM').id;
  const from = String(1_000_000_000 + Math.floor(Math.random() * 1e9));
  const name = `Inbox ${from}`;
  const write = async (text: string) => expect((await request.post('/app/simulator', { form: { channel, from, name, text } })).ok()).toBe(true);
  await write('Where is my parcel?');
  const thread = page.getByRole('link', { name });
  await expect(async () => {
    await page.goto(`/app/inbox?view=all&q=${encodeURIComponent(name)}`);
    await expect(thread).toBeVisible({ timeout: 500 });
  }).toPass();
  await expectAccessible(page);
  await page.locator('h1').click(); // keys work outside fields
  await page.keyboard.press('j');
  await expect(thread).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await page.keyboard.press('h');
  await expect(page.getByText('Operators have the conversation.')).toBeVisible();
  await expectAccessible(page);

  const log = page.getByRole('log');
  await log.getByRole('listitem').filter({ hasText: 'Where is my parcel?' }).first().getByRole('button', { name: /^Quote/ }).click();
  await expect(page.getByLabel('Reply', { exact: true })).toBeFocused();
  await page.getByLabel('Reply', { exact: true }).fill('It łeft yesterday.');
  await page.reload();
  await expect(page.getByLabel('Reply', { exact: true })).toHaveValue('It łeft yesterday.'); // a draft is kept
  await log.getByRole('listitem').filter({ hasText: 'Where is my parcel?' }).first().getByRole('button', { name: /^Quote/ }).click();
  await page.getByRole('button', { name: 'Send' }).click();
  const reply = log.getByRole('listitem').filter({ has: page.locator('[data-text]', { hasText: 'It łeft yesterday.' }) });
  await expect(reply).toHaveCount(1);
  await expect(reply.getByRole('link', { name: 'Where is my parcel?' })).toBeVisible();
  await expect(reply.locator('[data-delivery]')).toHaveText('Sent');
  await expect(page.getByLabel('Reply', { exact: true })).toHaveValue('');

  await write('Thanks, one.');
  const text = (content: string) => log.locator('[data-text]', { hasText: content });
  await expect(text('Thanks, one.')).toHaveCount(1); // without a reload
  await page.getByLabel('Reply', { exact: true }).fill('Not yet sent');
  await page.context().setOffline(true);
  await page.evaluate('source.close()');
  await write('Thanks, two.');
  await write('Thanks, three.');
  await page.context().setOffline(false);
  await page.evaluate('listen()');
  await expect(text('Thanks, three.')).toHaveCount(1);
  for (const content of ['Thanks, one.', 'Thanks, two.']) await expect(text(content)).toHaveCount(1);
  await expect(page.getByLabel('Reply', { exact: true })).toHaveValue('Not yet sent');

  await page.setViewportSize({ width: 390, height: 844 });
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(content).toBeLessThanOrEqual(screen);
  await expectAccessible(page);
  await page.locator('h1').click();
  await page.keyboard.press('c');
  await expect(page.getByText('This conversation is closed. Reopen it to reply.')).toBeVisible();
});
