import { demoToken, expect, expectAccessible, test } from './convo';
import type { APIRequestContext, Frame, Page } from '@playwright/test';
import { readFileSync } from 'node:fs';

// One address can begin 6 conversations in 12 hours: this file has 4 visitors.

const headers = () => ({ Authorization: `Bearer ${demoToken()}` });

/** The demo page of the first channel for websites. */
async function demoPage(request: APIRequestContext): Promise<string> {
  const channels = await (await request.get('/api/v1/channels?limit=200', { headers: headers() })).json();
  return `/widget/demo?channel=${channels.find((channel: { type: string }) => channel.type === 'WEBSITE').id}`;
}

const shown = (page: Page) => page.frames().find((frame) => frame.url().includes('/widget/frame'));

/** Opens the widget with its button, which is in a closed shadow root: tests find it by its place. */
async function open(page: Page): Promise<Frame> {
  await expect(page.locator('convo-widget')).toBeAttached();
  const { width, height } = page.viewportSize()!;
  await page.mouse.click(width - 48, height - 48);
  await expect.poll(() => shown(page) !== undefined).toBe(true);
  const frame = shown(page)!;
  await expect(frame.getByRole('textbox')).toBeVisible();
  return frame;
}

async function say(frame: Frame, text: string): Promise<void> {
  await frame.getByRole('textbox').fill(text);
  await frame.getByRole('textbox').press('Enter');
}

/** Replies as an operator in the conversation that has a message. */
async function reply(request: APIRequestContext, to: string, content: string): Promise<void> {
  const conversations = await (await request.get('/api/v1/conversations?limit=20', { headers: headers() })).json();
  for (const { id, status } of conversations) {
    const [first] = await (await request.get(`/api/v1/conversations/${id}/messages?limit=1`, { headers: headers() })).json();
    if (first?.content !== to) continue;
    if (status === 'OPEN') expect((await request.post(`/api/v1/conversations/${id}/hand-off`, { headers: headers(), data: {} })).status()).toBe(200);
    expect((await request.post(`/api/v1/conversations/${id}/operator-message`, { headers: headers(), data: { content } })).status()).toBe(201);
    return;
  }
  throw new Error(`no conversation begins with ${to}`);
}

const bubbles = (frame: Frame) => frame.locator('.message .bubble');

test.beforeEach(({ quiet }) => quiet.allow(/allow-scripts and allow-same-origin/)); // the demo page has the origin of the frame

test('a visitor talks to an operator', async ({ page, request }) => {
  const requests: string[] = [];
  page.on('request', (sent) => requests.push(new URL(sent.url()).pathname));
  await page.goto(await demoPage(request));
  await expect(page.locator('convo-widget')).toBeAttached();
  await page.waitForLoadState('networkidle');
  expect(requests, 'nothing is loaded before the widget is opened').toEqual(['/widget/demo', '/widget.js']);
  const frame = await open(page);
  await say(frame, 'Do you have these shoes in 39?');
  await expect(bubbles(frame)).toHaveText(['Do you have these shoes in 39?']);
  await expect(frame.getByText('Sending…')).toHaveCount(0);
  await reply(request, 'Do you have these shoes in 39?', 'Yes, in blue.');
  await expect(bubbles(frame)).toHaveText(['Do you have these shoes in 39?', 'Yes, in blue.']);
  await expectAccessible(page);
  await page.reload();
  await expect(bubbles(await open(page))).toHaveText(['Do you have these shoes in 39?', 'Yes, in blue.']);
  await page.keyboard.press('Escape');
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName), 'the focus is on the button again').toBe('CONVO-WIDGET');
});

test('two tabs show the same', async ({ page, context, request }) => {
  const url = await demoPage(request);
  await page.goto(url);
  const frame = await open(page);
  await say(frame, 'From the first tab');
  await expect(frame.getByText('Sending…')).toHaveCount(0);
  const other = await context.newPage();
  await other.goto(url);
  const second = await open(other);
  await expect(bubbles(second)).toHaveText(['From the first tab']);
  await say(second, 'From the second tab');
  await reply(request, 'From the first tab', 'To both');
  for (const tab of [frame, second]) await expect(bubbles(tab)).toHaveText(['From the first tab', 'From the second tab', 'To both']);
  await page.close(); // the tab that reads the stream
  await reply(request, 'From the first tab', 'To the second');
  await expect(bubbles(second)).toHaveText(['From the first tab', 'From the second tab', 'To both', 'To the second'], { timeout: 20_000 });
});

test('what is written without a network is sent later', async ({ page, context, request, quiet }) => {
  quiet.allow(/ERR_INTERNET_DISCONNECTED/);
  await page.goto(await demoPage(request));
  const frame = await open(page);
  await say(frame, 'Before the tunnel');
  await expect(frame.getByText('Sending…')).toHaveCount(0);
  await context.setOffline(true);
  await say(frame, 'In the tunnel');
  await say(frame, 'Still in it');
  await expect(frame.getByText('Sending…')).toHaveCount(2);
  await context.setOffline(false);
  await expect(frame.getByText('Sending…')).toHaveCount(0, { timeout: 40_000 });
  await expect(bubbles(frame)).toHaveText(['Before the tunnel', 'In the tunnel', 'Still in it']);
});

test('files are sent and downloaded', async ({ page, request }) => {
  await page.goto(await demoPage(request));
  const frame = await open(page);
  const chooser = page.waitForEvent('filechooser');
  await frame.getByRole('button', { name: 'Attach a file' }).first().click();
  await (await chooser).setFiles({ name: 'shoes.txt', mimeType: 'text/plain', buffer: Buffer.from('size 39') });
  const download = page.waitForEvent('download');
  await frame.getByRole('button', { name: 'shoes.txt' }).click();
  expect(readFileSync(await (await download).path(), 'utf8')).toBe('size 39');
});
