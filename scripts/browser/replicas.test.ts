import { Balancer, Replica } from './replicas';
import { bubbles, open, reply, say, siteChannel } from './widget';
import { expect, test } from '@playwright/test';

// A tab may wait for some seconds before it connects again.
const patient = { timeout: 60_000 };

test('another replica takes over the stream, and nothing is lost or shown twice', async ({ page, request }) => {
  test.setTimeout(240_000);
  const balancer = new Balancer();
  const running: Replica[] = [];
  const start = async () => {
    running.push(await Replica.start());
    return running.at(-1)!;
  };
  try {
    const [origin, first, second] = [await balancer.listen(), await start(), await start()];
    balancer.target = first.port;
    const channel = await siteChannel(request);
    await page.route(`${origin}/shop`, (route) => route.fulfill({
      contentType: 'text/html', body: `<!doctype html><html lang="en"><title>Shop</title><body><script src="/widget.js" data-channel="${channel}" async></script></body></html>`,
    }));
    await page.goto(`${origin}/shop`);
    const frame = await open(page);
    await say(frame, 'Is anyone there?');
    await expect(frame.getByText('Sending…')).toHaveCount(0);
    await reply(request, 'Is anyone there?', 'Yes, at the first replica.');
    const said = ['Is anyone there?', 'Yes, at the first replica.'];
    await expect(bubbles(frame)).toHaveText(said);

    // The first one is restarted as in a rolling restart; meanwhile both sides write.
    const stopped = first.stop('SIGTERM');
    await reply(request, 'Is anyone there?', 'During the restart.');
    balancer.target = second.port;
    await stopped;
    await expect(bubbles(frame)).toHaveText([...said, 'During the restart.'], patient);
    await say(frame, 'Still here?');
    await expect(frame.getByText('Sending…')).toHaveCount(0, patient);
    await reply(request, 'Is anyone there?', 'Yes, at the second replica.');
    said.push('During the restart.', 'Still here?', 'Yes, at the second replica.');
    await expect(bubbles(frame)).toHaveText(said, patient);

    // The second one crashes, and what the visitor writes waits for the next one.
    await second.stop('SIGKILL');
    await say(frame, 'After the crash?');
    await reply(request, 'Is anyone there?', 'While nothing runs.');
    balancer.target = (await start()).port;
    await expect(frame.getByText('Sending…')).toHaveCount(0, patient);
    await expect(bubbles(frame).filter({ hasText: 'After the crash?' })).toHaveCount(1);
    await expect(bubbles(frame).filter({ hasText: 'While nothing runs.' })).toHaveCount(1, patient);
    await reply(request, 'Is anyone there?', 'At the third replica.');
    await expect(bubbles(frame).last()).toHaveText('At the third replica.', patient);
    await expect(bubbles(frame)).toHaveText([...said, 'While nothing runs.', 'After the crash?', 'At the third replica.']);
  } finally {
    await Promise.all(running.map((replica) => replica.stop('SIGKILL')));
    balancer.close();
  }
});
