// Builds the loader and the panel into the folder that the server embeds, and fails if one
// of them is larger than it may be.
import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const to = '../../internal/api/widget/assets';
const options = { bundle: true, minify: true, format: 'iife', target: ['es2022'], charset: 'utf8', legalComments: 'none', logLevel: 'warning' };

await build({ ...options, entryPoints: ['src/loader.ts'], outfile: `${to}/loader.js` });
await build({ ...options, entryPoints: ['src/panel.ts'], outfile: `${to}/panel.js` });
await build({ ...options, entryPoints: ['src/panel.css'], outfile: `${to}/panel.css` });

const limits = { 'loader.js': 4_000, 'panel.js': 25_000 }; // bytes with gzip
for (const [name, limit] of Object.entries(limits)) {
  const size = gzipSync(await readFile(`${to}/${name}`), { level: 9 }).length;
  console.log(`${name}: ${size} bytes with gzip, ${limit} allowed`);
  if (size > limit) process.exitCode = 1;
}
