// Fixtures and helpers shared by the browser tests.
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const file = (name: string) => readFileSync(join(process.env.CONVO_DATA_DIR!, name), 'utf8').trim();

const email = 'demo@example.com';
const password = () => file('demo-password');
export const demoToken = () => file('demo-token');

/** Storage state of a signed-in user, created once by sign-in.setup.ts. */
export const session = join(process.env.CONVO_DATA_DIR!, 'session.json');

/** A test fails if a page logs an error or a warning, throws, or sends a request to another origin. */
export const test = base.extend<{ quiet: { allow: (pattern: RegExp) => void } }>({
  quiet: [async ({ page, baseURL }, use) => {
    const problems: string[] = [];
    const allowed: RegExp[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => problems.push(`thrown: ${error}`));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${baseURL}/`) && !url.startsWith('data:')) problems.push(`request to ${url}`);
    });
    await use({ allow: (pattern) => allowed.push(pattern) });
    expect(problems.filter((problem) => !allowed.some((pattern) => pattern.test(problem)))).toEqual([]);
  }, { auto: true }],
});

/** Opens a page and signs in when redirected. */
export async function signIn(page: Page, path: string) {
  await page.goto(path);
  await expect(page).toHaveURL(/sign-in\?next=/);
  await page.getByLabel('Email address').fill(email);
  await page.getByLabel('Password').fill(password());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(path);
}

/** Checks a page against WCAG 2.2 AA and best practices with axe. */
export async function expectAccessible(page: Page, exclude: string[] = []) {
  let axe = new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
  for (const selector of exclude) axe = axe.exclude(selector);
  const { violations } = await axe.analyze();
  expect(violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.target).join(' | ')}`)).toEqual([]);
}

export { expect };
