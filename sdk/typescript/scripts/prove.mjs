// Packs the SDK and installs it as users do, into several kinds of projects, each of which runs the whole suite
// against a running server. Also checks the bundle sizes, publint, are-the-types-wrong, and type-checks the samples
// in the documentation.
//
//   CONVO_BASE_URL=http://…/api/v1 CONVO_TOKEN=convo_… CONVO_ORIGIN=http://… CONVO_BROWSER=/usr/bin/chromium node scripts/prove.mjs
import * as esbuild from 'esbuild';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
const build = (options) => esbuild.build({ absWorkingDir: root, ...options });
const require = createRequire(import.meta.url);
const place = { baseUrl: process.env.CONVO_BASE_URL, apiKey: process.env.CONVO_TOKEN };
const work = mkdtempSync(join(tmpdir(), 'convo-sdk-'));
const bin = (name) => resolve('node_modules/.bin', name);
const say = (line) => console.log(line);
const mostBytes = 12 * 1024;

/** Runs a program and returns its output, which is part of the error if it fails. */
function run(program, args, options = {}) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`);
  }
}

/** Creates a project that depends on the packed SDK. */
function project(name, type) {
  const dir = join(work, name);
  mkdirSync(dir);
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name, private: true, ...(type && { type }) }));
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', tarball], { cwd: dir });
  return dir;
}

/** Bundles the suite into one file for a project, with or without the SDK in it. */
async function suite(dir, format, file, options = {}) {
  await build({
    entryPoints: ['test/suite.ts'], bundle: true, format, outfile: join(dir, file), logLevel: 'error', external: ['@convo/sdk'], ...options,
  });
}

function report(name, results) {
  const failed = results.filter(({ error }) => error);
  for (const { name: check, error } of failed) say(`  ${check}\n    ${error.replaceAll('\n', '\n    ')}`);
  say(`${name}: ${results.length - failed.length} passed, ${failed.length} failed`);
  if (failed.length > 0 || results.length === 0) process.exitCode = 1;
}

async function sizes() {
  const measure = async (contents) => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: root, loader: 'js' }, bundle: true, minify: true, format: 'esm', write: false, logLevel: 'error',
      alias: { '@convo/sdk': resolve('dist/esm/index.js') },
    });
    return { size: gzipSync(outputFiles[0].contents, { level: 9 }).length, text: outputFiles[0].text };
  };
  const whole = await measure("import * as sdk from '@convo/sdk'; console.log(sdk);");
  const part = await measure("import { unwrap } from '@convo/sdk'; console.log(unwrap);");
  say(`size: ${whole.size} bytes gzipped, ${part.size} with unwrap alone`);
  if (whole.size > mostBytes) throw new Error(`larger than ${mostBytes} bytes`);
  if (part.text.includes('/leads') || part.size > whole.size / 2) throw new Error('unused code is not tree-shaken');
}

/** Calls the SDK method of every operation and compares its request with the document. */
async function everyOperation() {
  const { AveltoClient } = await import(resolve('dist/esm/index.js'));
  const spec = JSON.parse(readFileSync('../../openapi/openapi.json', 'utf8'));
  const resolved = (parameter) => (parameter.$ref ? spec.components.parameters[parameter.$ref.split('/').pop()] : parameter);
  let count = 0;
  for (const [path, { parameters: shared = [], ...operations }] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation.tags.includes('Widget')) continue; // for browsers of visitors, without an API token
      let asked;
      let keyed;
      const client = new AveltoClient({ apiKey: 'convo_x', baseUrl: 'http://api', fetch: async (url, init) => {
        asked = `${init.method} ${new URL(url).pathname.replace('/api/v1', '')}`;
        keyed = new Headers(init.headers).has('Idempotency-Key');
        return new Response('[]');
      } });
      const parameters = [...shared, ...(operation.parameters ?? [])].map(resolved);
      const ids = parameters.filter(({ in: where }) => where === 'path').map(({ name }) => name);
      const body = operation.requestBody && Object.keys(operation.requestBody.content)[0];
      const rest = body === 'application/pdf' ? [new Uint8Array(1), { name: 'x.pdf' }] : [{}];
      const names = operation['x-sdk-method'].split('.');
      const name = names.pop();
      await names.reduce((resource, part) => resource[part], client)[name](...ids, ...rest);
      const wanted = `${method.toUpperCase()} ${path.replaceAll(/[{}]/g, '')}`;
      if (asked !== wanted) throw new Error(`${operation['x-sdk-method']} requested ${asked}, not ${wanted}`);
      if (keyed !== parameters.some(({ name }) => name === 'Idempotency-Key')) throw new Error(`${operation['x-sdk-method']}: Idempotency-Key`);
      count++;
    }
  }
  say(`operations: ${count} methods send the documented request`);
}

async function node() {
  const esm = project('node-esm', 'module');
  await suite(esm, 'esm', 'suite.mjs');
  writeFileSync(join(esm, 'main.mjs'), `
    import { openAsBlob, createReadStream, writeFileSync } from 'node:fs';
    import { AveltoClient } from '@convo/sdk';
    import { runAll } from './suite.mjs';
    const place = ${JSON.stringify(place)};
    const results = await runAll(place);
    // Files exist in Node.js only.
    try {
      writeFileSync('notes.md', '# Notes\\n\\nShoes of ' + Date.now() + '\\n');
      const client = new AveltoClient(place);
      await client.knowledge.upload(await openAsBlob('notes.md'), { name: 'notes.md' });
      const job = await client.knowledge.upload(createReadStream('notes.md'), { name: 'notes.md' });
      await client.knowledge.waitForJob(job.id);
      results.push({ name: "Node's own files" });
    } catch (error) { results.push({ name: "Node's own files", error: String(error) }); }
    console.log(JSON.stringify(results));`);
  report('Node.js, ES modules', JSON.parse(run('node', ['main.mjs'], { cwd: esm })));
  const cjs = project('node-cjs', 'commonjs');
  await suite(cjs, 'cjs', 'suite.cjs', { platform: 'node' });
  writeFileSync(join(cjs, 'main.cjs'), `
    require('./suite.cjs').runAll(${JSON.stringify(place)}).then((results) => console.log(JSON.stringify(results)));`);
  report('Node.js, CommonJS', JSON.parse(run('node', ['main.cjs'], { cwd: cjs })));
}

/** Type-checks the published example and every sample in the documentation in strict mode. */
async function typescript() {
  const dir = project('typescript', 'module');
  writeFileSync(join(dir, 'published.ts'), `
    import { AveltoClient, unwrap, NotFoundError, type Lead, type WebhookEvent } from '@convo/sdk';
    const client = new AveltoClient({ apiKey: process.env.AVELTO_TOKEN! });
    const leads: Lead[] = await client.leads.list({ status: 'QUALIFIED' });
    const hooks = await client.webhooks.list();
    for await (const lead of client.leads.list()) { const score: number | null = lead.score; void score; }
    const { data, response } = await client.leads.get('x').withResponse();
    const name: string = response.headers.get('x') ?? data.id;
    const event: WebhookEvent = await unwrap('', {}, '');
    switch (event.type) {
      case 'lead.created': event.data.lead.fields; break;
      case 'conversation.closed': event.data.conversation.id; break;
    }
    // @ts-expect-error there is no such status
    await client.leads.list({ status: 'EATEN' });
    // @ts-expect-error a lead has fields
    await client.leads.create({});
    // @ts-expect-error it is a number
    await client.leads.update('x', { score: '7' });
    void [leads, hooks, name, NotFoundError];
    export {};`);
  let samples = 0;
  const index = await (await fetch(`${process.env.CONVO_ORIGIN}/docs`)).text();
  for (const path of new Set(Array.from(index.matchAll(/href="(\/docs\/[a-z-]+)"/g), ([, found]) => found))) {
    const page = await (await fetch(process.env.CONVO_ORIGIN + path)).text();
    for (const [, code] of page.matchAll(/data-language="typescript">(.*?)<\/code>/gs)) {
      const plain = code.replaceAll(/<[^>]+>/g, '').replace(/&(amp|lt|gt|#39|#34);/g, (_, name) => ({ amp: '&', lt: '<', gt: '>', '#39': "'", '#34': '"' })[name]);
      writeFileSync(join(dir, `sample-${++samples}.ts`), `${plain}\nexport {};\n`);
    }
  }
  if (samples < 40) throw new Error(`only ${samples} samples were found in the documentation`);
  const options = { strict: true, noEmit: true, target: 'ES2022', lib: ['ES2023', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'], exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, types: ['node'], typeRoots: [resolve('node_modules/@types')] };
  for (const [module, moduleResolution] of [['NodeNext', 'NodeNext'], ['ESNext', 'Bundler']]) {
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, module, moduleResolution }, include: ['*.ts'] }));
    run(bin('tsc'), ['-p', dir]);
  }
  say(`TypeScript, strict: the published example and ${samples} samples in the documentation compile`);
}

async function browser() {
  const dir = project('browser', 'module');
  await suite(dir, 'esm', 'suite.js', { external: [], alias: { '@convo/sdk': join(dir, 'node_modules/@convo/sdk/dist/esm/index.js') } });
  const server = createServer((request, answer) => {
    const script = request.url === '/suite.js';
    answer.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    answer.end(script ? readFileSync(join(dir, 'suite.js')) : '<!doctype html><title>SDK</title><link rel="icon" href="data:,">');
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => { server.once('listening', listening); });
  const { chromium } = createRequire(resolve('../../scripts/browser/package.json'))('@playwright/test');
  const chrome = await chromium.launch({ executablePath: process.env.CONVO_BROWSER, args: ['--no-sandbox'] });
  try {
    const page = await chrome.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    report(`browser, ${chrome.browserType().name()} ${chrome.version()}`, await page.evaluate(async (where) => {
      const { runAll } = await import('/suite.js');
      return runAll(where);
    }, place));
  } finally {
    await chrome.close();
    server.close();
  }
}

/** Runs the suite in workerd, the runtime of Cloudflare Workers. */
async function edge() {
  const dir = project('edge', 'module');
  writeFileSync(join(dir, 'worker.ts'), `
    import { runAll } from ${JSON.stringify(resolve('test/suite.ts'))};
    export default { async fetch() { return Response.json(await runAll(${JSON.stringify(place)})); } };`);
  await build({
    entryPoints: [join(dir, 'worker.ts')], bundle: true, format: 'esm', outfile: join(dir, 'worker.js'), logLevel: 'error',
    alias: { '@convo/sdk': join(dir, 'node_modules/@convo/sdk/dist/esm/index.js') },
  });
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => { probe.once('listening', listening); });
  const { port } = probe.address();
  await new Promise((closed) => { probe.close(closed); });
  writeFileSync(join(dir, 'config.capnp'), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [(name = "worker", esModule = embed "worker.js")], compatibilityDate = "2025-09-01", globalOutbound = "net")),
    (name = "net", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`);
  const workerd = spawn(require.resolve('workerd/bin/workerd'), ['serve', join(dir, 'config.capnp')], { stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    let answer;
    for (let tries = 0; !answer; tries++) {
      answer = await fetch(`http://127.0.0.1:${port}/`).catch((error) => {
        if (tries > 100 || workerd.exitCode !== null) throw error;
        return new Promise((again) => { setTimeout(again, 100); });
      });
    }
    report('edge, workerd', await answer.json());
  } finally {
    workerd.kill();
  }
}

rmSync('dist', { recursive: true, force: true });
const packed = run('npm', ['pack', '--silent', '--pack-destination', work]).trim().split('\n').pop();
const tarball = join(work, packed);
try {
  if (!existsSync(tarball)) throw new Error(`npm pack made no ${tarball}`);
  await sizes();
  say(`publint: ${run(bin('publint'), ['run', tarball, '--strict']).trim().split('\n').pop()}`);
  say(`attw: ${run(bin('attw'), [tarball, '--no-color', '--no-emoji', '--format', 'ascii']).includes('No problems found') ? 'no problems found' : 'see above'}`);
  await everyOperation();
  await node();
  await typescript();
  await browser();
  await edge();
} finally {
  rmSync(work, { recursive: true, force: true });
}
