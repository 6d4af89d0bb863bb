// Helpers of the tests of the chat widget.
import { demoToken } from './convo';
import { expect, type APIRequestContext, type Frame, type Page } from '@playwright/test';

const headers = () => ({ Authorization: `Bearer ${demoToken()}` });

/** The ID of a new channel for websites. An agent replies in it if it is published. */
export async function siteChannel(request: APIRequestContext, status: 'DRAFT' | 'PUBLISHED' = 'DRAFT'): Promise<string> {
  const create = async (path: string, data: object): Promise<string> => {
    const created = await request.post(`/api/v1${path}`, { headers: headers(), data });
    expect(created.status()).toBe(201);
    return (await created.json()).id;
  };
  const agentId = await create('/agents', { name: 'Concierge', modelProvider: 'builtin', modelName: 'builtin', status });
  return create('/channels', { type: 'WEBSITE', name: 'Shop', agentId });
}

/** The demo page of that channel. */
export const demoPage = async (request: APIRequestContext, status: 'DRAFT' | 'PUBLISHED' = 'DRAFT'): Promise<string> =>
  `/widget/demo?channel=${await siteChannel(request, status)}`;

/** Adds a page to the knowledge base. */
export async function crawl(request: APIRequestContext, url: string): Promise<void> {
  const begun = await request.post('/api/v1/knowledge/crawl', { headers: headers(), data: { url } });
  expect(begun.status()).toBe(202);
  const { id } = await begun.json();
  await expect.poll(async () => (await (await request.get(`/api/v1/knowledge/jobs/${id}`, { headers: headers() })).json()).status, { timeout: 60_000 }).toBe('COMPLETED');
}

const shown = (page: Page) => page.frames().find((frame) => frame.url().includes('/widget/frame'));

/** Opens the widget with its button, which is in a closed shadow root: tests find it by its place. */
export async function open(page: Page): Promise<Frame> {
  await expect(page.locator('convo-widget')).toBeAttached();
  const { width, height } = page.viewportSize()!;
  await page.mouse.click(width - 48, height - 48);
  await expect.poll(() => shown(page) !== undefined).toBe(true);
  const frame = shown(page)!;
  await expect(frame.getByRole('textbox')).toBeVisible();
  return frame;
}

/** Writes and sends a message. */
export async function say(frame: Frame, text: string): Promise<void> {
  await frame.getByRole('textbox').fill(text);
  await frame.getByRole('textbox').press('Enter');
}

/** Replies as an operator in the conversation that has a message. */
export async function reply(request: APIRequestContext, to: string, content: string): Promise<void> {
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

/** The messages that are shown. */
export const bubbles = (frame: Frame) => frame.locator('.message .bubble');
