// Checks the licenses of every npm package in a lockfile: those that the SDK ships, and
// the tools that only run here.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const shipped = new Set(['MIT', 'MIT-0', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'ISC', 'MPL-2.0', 'Unlicense', '0BSD', 'CC0-1.0', 'Zlib']);
// Tools are not distributed; these are permissive too, but rarely known to lawyers.
const tools = new Set([...shipped, 'BlueOak-1.0.0', 'Python-2.0', 'WTFPL']);
// Packages from before SPDX, by what their repositories say.
const stated = { 'httpntlm@1.8.13': 'MIT', 'stack-trace@0.0.9': 'MIT' };

// allows evaluates an SPDX expression such as "(MIT OR CC0-1.0) AND ISC".
function allows(allowed, expression) {
  const terms = expression.replace(/[()]/g, ' ').trim();
  return terms.split(/\s+AND\s+/).every((all) => all.split(/\s+OR\s+/).some((one) => allowed.has(one.trim())));
}

function licenseOf(root, path, entry) {
  if (entry.license) return entry.license;
  const manifest = join(root, path, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(manifest, 'utf8'));
  return license?.type ?? license ?? licenses?.map((one) => one.type).join(' OR ');
}

let failed = false;
for (const lockfile of process.argv.slice(2)) {
  const root = dirname(lockfile);
  const packages = Object.entries(JSON.parse(readFileSync(lockfile, 'utf8')).packages).filter(([path, entry]) => path && !entry.link);
  for (const [path, entry] of packages) {
    const name = `${entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${entry.version}`;
    const license = stated[name] ?? licenseOf(root, path, entry);
    if (license && allows(entry.dev ? tools : shipped, license)) continue;
    console.error(`${lockfile}: ${name} has a license that is not allowed: ${license ?? 'none stated'}`);
    failed = true;
  }
  console.log(`${lockfile}: ${packages.length} packages`);
}
if (failed) process.exit(1);
