import { mkdirSync } from 'node:fs';
import { demoToken, expect, session, test } from './convo';

const images = '../../docs/images';

test.use({ storageState: session, viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1 });

test.describe.configure({ mode: 'serial' });

test('create sample data', async ({ request, baseURL }) => {
  mkdirSync(images, { recursive: true });
  const options = { headers: { Authorization: `Bearer ${demoToken()}` } };
  const post = async (path: string, data: object) => (await request.post(`${baseURL}/api/v1${path}`, { ...options, data })).json();
  const lead = await post('/leads', { fields: { name: 'Anna Nowak', email: 'anna@example.com' } });
  await request.patch(`${baseURL}/api/v1/leads/${lead.id}/status`, { ...options, data: { status: 'QUALIFIED' } });
  await post('/tags', { name: 'newsletter' });
  await post('/integrations/webhook', { type: 'WEBHOOK', url: 'https://hooks.example.com/convo', events: ['lead.created', 'conversation.closed'] });
  await expect(async () => { // audit entries of tokens are written in batches
    expect(await (await request.get(`${baseURL}/app/settings/audit`)).text()).toContain('Webhook created');
  }).toPass();
});

const shots: { name: string; path: string; signedIn?: true; colorScheme?: 'dark'; width?: number; wait?: string }[] = [
  { name: 'docs-overview', path: '/docs' },
  { name: 'docs-leads', path: '/docs/leads' },
  { name: 'docs-dark', path: '/docs/receiving-webhooks', colorScheme: 'dark' },
  { name: 'docs-phone', path: '/docs/conversations', width: 390 },
  { name: 'explorer', path: '/docs/explorer', wait: '#operations-Leads-listLeads' },
  { name: 'sign-in', path: '/app/sign-in' },
  { name: 'tokens', path: '/app/settings/api-tokens', signedIn: true },
  { name: 'token-new', path: '/app/settings/api-tokens/new', signedIn: true },
  { name: 'webhooks', path: '/app/settings/webhooks', signedIn: true },
  { name: 'audit', path: '/app/settings/audit', signedIn: true },
  { name: 'analytics', path: '/app/analytics?days=0&from=2026-04-01&to=2026-05-05&granularity=day', signedIn: true },
  { name: 'analytics-dark', path: '/app/analytics?days=0&from=2026-04-01&to=2026-05-05&granularity=day&groupBy=agent', signedIn: true, colorScheme: 'dark' },
];

for (const shot of shots) {
  test(shot.name, async ({ browser, baseURL }) => {
    const context = await browser.newContext({
      baseURL, colorScheme: shot.colorScheme ?? 'light', viewport: { width: shot.width ?? 1280, height: 860 },
      storageState: shot.signedIn ? session : undefined,
    });
    const page = await context.newPage();
    await page.goto(shot.path, { waitUntil: 'networkidle' });
    if (shot.wait) await page.locator(shot.wait).waitFor();
    await page.screenshot({ path: `${images}/${shot.name}.png` });
    await context.close();
  });
}
