// Compiles the sources twice: as ES modules and as CommonJS, each with its own types.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
rmSync('dist', { recursive: true, force: true });
copyFileSync('../../LICENSE', 'LICENSE');
for (const [kind, type] of [['esm', 'module'], ['cjs', 'commonjs']]) {
  // The compiler decides by the nearest package.json which kind of modules it makes.
  mkdirSync(`dist/${kind}`, { recursive: true });
  cpSync('src', `dist/${kind}-src`, { recursive: true });
  writeFileSync(`dist/${kind}-src/package.json`, JSON.stringify({ type }));
  const options = ['--rootDir', `dist/${kind}-src`, '--outDir', `dist/${kind}`];
  if (kind === 'cjs') options.push('--verbatimModuleSyntax', 'false');
  writeFileSync(`dist/${kind}-src/tsconfig.json`, JSON.stringify({ extends: '../../tsconfig.json', include: ['.'] }));
  execFileSync(process.execPath, [tsc, '-p', `dist/${kind}-src`, ...options], { stdio: 'inherit' });
  writeFileSync(`dist/${kind}/package.json`, `${JSON.stringify({ type })}\n`);
  rmSync(`dist/${kind}-src`, { recursive: true });
}
