import { email, expect, expectAccessible, password, session, test } from './convo';

test('signing in', async ({ page }) => {
  await page.goto('/app/settings/api-tokens');
  await expect(page).toHaveURL(/sign-in\?next=/);
  await expectAccessible(page);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/app/settings/api-tokens');
  await page.context().storageState({ path: session });
});
