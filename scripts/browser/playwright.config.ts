import { defineConfig } from '@playwright/test';

const origin = `http://${process.env.CONVO_ADDR}`;

// Playwright starts a real server. run.sh sets its address and data directory.
export default defineConfig({
  testDir: '.',
  outputDir: '../../.cache/browser',
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  retries: 0,
  timeout: 60_000,
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
