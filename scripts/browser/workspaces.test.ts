// Uses its own session, because switching workspaces would affect the other tests.
import { expect, expectAccessible, signIn, test } from './convo';

test('switch workspaces on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await signIn(page, '/app/settings/api-tokens');
  await page.getByLabel('Workspace').selectOption('Other Company');
  await expect(page).toHaveURL('/app/inbox');
  await page.goto('/app/settings/api-tokens');
  await expect(page.getByText('No tokens yet')).toBeVisible();
  await expectAccessible(page);
  for (const path of ['/app/inbox', '/app/analytics', '/app/settings/api-tokens', '/app/settings/api-tokens/new', '/app/settings/webhooks', '/app/settings/members', '/app/settings/audit', '/app/simulator']) {
    await page.goto(path);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(content, path).toBeLessThanOrEqual(screen);
  }
  await page.getByLabel('Workspace').selectOption('Demo Shoes');
  await expect(page).toHaveURL('/app/inbox');
});
