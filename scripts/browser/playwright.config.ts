import { defineConfig } from '@playwright/test';

const origin = `http://${process.env.CONVO_ADDR}`;

// Playwright starts a real server. run.sh sets its address and data directory.
export default defineConfig({
  testDir: '.',
  outputDir: '../../.cache/browser',
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  // A test that passes the second time is reported as flaky, with its trace.
  retries: 1,
  timeout: 60_000,
  // A small machine that compiles something else meanwhile is slow, not broken.
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: origin,
    trace: 'retain-on-failure',
    launchOptions: { executablePath: process.env.CONVO_BROWSER, args: ['--no-sandbox'] },
    permissions: ['clipboard-read', 'clipboard-write'],
  },
  webServer: {
    command: '../../bin/convo dev',
    url: `${origin}/readyz`,
    env: { CONVO_LOG_LEVEL: 'warn' },
    timeout: 120_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 20_000 },
  },
  projects: [
    { name: 'sign-in', testMatch: /sign-in\.setup\.ts/ },
    { name: 'test', testMatch: /.*\.test\.ts/, dependencies: ['sign-in'] },
    { name: 'screenshots', testMatch: /screenshots\.ts/, dependencies: ['sign-in'] },
  ],
});
