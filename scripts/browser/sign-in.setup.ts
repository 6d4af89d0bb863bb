import { expectAccessible, session, signIn, test } from './convo';

test('sign in', async ({ page }) => {
  await page.goto('/app');
  await expectAccessible(page);
  await signIn(page, '/app/settings/api-tokens');
  await page.context().storageState({ path: session });
});
