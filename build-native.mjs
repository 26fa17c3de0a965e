/**
 * Compiles what `npm ci` leaves uncompiled: installing runs no package's scripts (.npmrc), so that it needs no network but the
 * registry's, and SQLite's binding is built with the headers that lie beside this Node where there are any, rather than with
 * downloaded ones. Every build begins here; once it has been done it takes some milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

const packages = [
  { name: 'better-sqlite3', works: () => new (require('better-sqlite3'))(':memory:').close() },
  { name: 'koffi', works: () => require('koffi').load(null) },
];

function failure(works) {
  try {
    works();
    return null;
  } catch (error) {
    return error;
  }
}

function rebuild(name) {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const headers = existsSync(join(prefix, 'include', 'node', 'node_version.h')) ? [`--nodedir=${prefix}`] : [];
  const npm = process.env.npm_execpath;
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
  const flags = ['rebuild', name, '--ignore-scripts=false', '--no-progress', '--loglevel=error', ...headers];
  return spawnSync(command, [...first, ...flags], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

for (const { name, works } of packages) {
  if (failure(works) === null) continue;
  console.error(`Building ${name}, once: up to two minutes where no prebuilt one can be downloaded.`);
  const { status } = rebuild(name);
  const error = status === 0 ? failure(works) : `npm rebuild ended with ${status}`;
  if (error !== null) {
    console.error(`${name} could not be built: ${error}. It needs Python 3, make and a C++ compiler.`);
    process.exit(1);
  }
}
