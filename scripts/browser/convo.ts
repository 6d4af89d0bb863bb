// What the tests of the pages have in common.
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const file = (name: string) => readFileSync(join(process.env.CONVO_DATA_DIR!, name), 'utf8').trim();

const email = 'demo@example.com';
const password = () => file('demo-password');
export const demoToken = () => file('demo-token');

/** The cookies of somebody who has signed in, made once by sign-in.setup.ts. */
export const session = join(process.env.CONVO_DATA_DIR!, 'session.json');

/** A test fails where a page says anything on its console, throws, or asks another site. */
export const test = base.extend<{ quiet: { allow: (pattern: RegExp) => void } }>({
  quiet: [async ({ page, baseURL }, use) => {
    const complaints: string[] = [];
    const allowed: RegExp[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(`console ${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`thrown: ${error}`));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${baseURL}/`) && !url.startsWith('data:')) complaints.push(`request to ${url}`);
    });
    await use({ allow: (pattern) => allowed.push(pattern) });
    expect(complaints.filter((complaint) => !allowed.some((pattern) => pattern.test(complaint)))).toEqual([]);
  }, { auto: true }],
});

/** Signs in on the way to a page. */
export async function signIn(page: Page, path: string) {
  await page.goto(path);
  await expect(page).toHaveURL(/sign-in\?next=/);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(path);
}

/** Looks for violations of WCAG 2.2 AA and of good practice, as far as a program can. */
export async function expectAccessible(page: Page, exclude: string[] = []) {
  let axe = new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
  for (const selector of exclude) axe = axe.exclude(selector);
  const { violations } = await axe.analyze();
  expect(violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.target).join(' | ')}`)).toEqual([]);
}

export { expect };
