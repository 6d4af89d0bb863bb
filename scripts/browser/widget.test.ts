import { expect, expectAccessible, test } from './convo';
import { bubbles, crawl, demoPage, open, reply, say } from './widget';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// One address can begin 6 conversations in 12 hours: this file has 5 visitors.

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

test('an agent replies with a citation that opens its source', async ({ page, context, request }) => {
  const site = createServer((asked, response) => {
    response.writeHead(asked.url === '/umbrellas' ? 200 : 404, { 'Content-Type': 'text/html' });
    response.end('<title>Umbrellas</title><main><h1>Umbrellas</h1><p>Our umbrellas withstand storms of 90 kilometers per hour.</p></main>');
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  try {
    const source = `http://127.0.0.1:${(site.address() as AddressInfo).port}/umbrellas`;
    await crawl(request, source);
    await page.goto(await demoPage(request, 'PUBLISHED'));
    const frame = await open(page);
    await say(frame, 'Which storms do your umbrellas withstand?');
    await expect(bubbles(frame)).toHaveText(['Which storms do your umbrellas withstand?', 'Our umbrellas withstand storms of 90 kilometers per hour. [1]'], { timeout: 30_000 });
    await expect(frame.locator('.draft')).toBeHidden();
    await expectAccessible(page);
    const opened = context.waitForEvent('page');
    await frame.getByRole('list', { name: 'Sources' }).getByRole('link', { name: /^\[1\]/ }).click();
    await expect(await opened).toHaveURL(source);
  } finally {
    site.closeAllConnections();
    site.close();
  }
});
