import { demoToken, expect, expectAccessible, session, test } from './convo';

test.use({ storageState: session });

test('replies to the demo arrive at a simulator, and visitors write from it', async ({ page, request }) => {
  const headers = { Authorization: `Bearer ${demoToken()}` };
  const get = async (path: string) => (await request.get(`/api/v1${path}`, { headers })).json();
  const channel = (await get('/channels?limit=50')).find(({ type }: { type: string }) => type === 'TELEGRAM');
  expect(channel.status).toBe('CONNECTED');
  const { id } = (await get('/conversations?status=HANDED_OFF&limit=100')).find(({ channelId }: { channelId: string }) => channelId === channel.id);
  const replied = await request.post(`/api/v1/conversations/${id}/operator-message`, { headers, data: { content: 'Your pair is on its way.' } });
  expect(replied.status()).toBe(201);
  await page.setViewportSize({ width: 390, height: 844 });
  const row = page.getByRole('table', { name: 'TELEGRAM' }).getByRole('row', { name: 'Your pair is on its way.' });
  await expect(async () => {
    await page.goto('/app/simulator');
    await expect(row).toContainText('accepted', { timeout: 500 });
  }).toPass();
  await expectAccessible(page);
  expect((await get(`/conversations/${id}/messages?limit=100`)).find(({ content }: { content: string }) => content === 'Your pair is on its way.').deliveryStatus).toBe('SENT');

  await page.getByLabel('Channel').selectOption({ value: channel.id });
  await page.getByLabel('Contact ID').fill('4711');
  await page.getByLabel('Message').fill('Is the blue pair still there?');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByRole('status')).toContainText('was delivered');
  await expectAccessible(page);
  const [latest] = await get(`/conversations?channelId=${channel.id}&limit=1`);
  const [written] = await get(`/conversations/${latest.id}/messages?limit=1`);
  expect(written.content).toBe('Is the blue pair still there?');
});
