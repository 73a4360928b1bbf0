// Which files of a built clone run on another machine: the compiled code, the addons, and of node_modules what the code
// loads, found by following every `require` from it. Typings, source maps and bundles for browsers stay behind.
import { existsSync, lstatSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';

/** Found by name at run time, so no `require` tells: sharp's code for this platform, and the libraries under it. */
const loadedByName = ['@img/sharp-linux-x64', '@img/sharp-libvips-linux-x64'];
const addons = ['ftwt.node', 'emulator/ftwt.node', 'emulator-tests'];

/**
 * @param root of the clone
 * @returns path in the bundle -> path here. Paths in the bundle are those of the clone, below `app/`
 * @throws Error that says what is missing
 */
export function bundledFiles(root) {
  const files = new Map();
  const add = (path, from = join(root, path)) => {
    if (!existsSync(from))
      throw new Error(`${path} is missing: expected a built clone (npm run build)`);
    files.set(`app/${path}`, from);
  };
  for (const path of ['package.json', 'LICENSE']) add(path);
  for (const addon of addons) add(`build/Release/${addon}`);
  for (const path of filesBelow(join(root, 'bench', 'peers'), '.py')) add(`bench/peers/${path}`);
  for (const path of filesBelow(join(root, 'scripts', 'gpu', 'host'), '.mjs')) {
    add(`scripts/gpu/host/${path}`);
  }
  const compiled = ['src', 'test', 'bench'].flatMap((folder) =>
    filesBelow(join(root, 'dist', folder), '.js').map((path) => `dist/${folder}/${path}`),
  );
  for (const path of compiled) add(path);
  for (const [path, from] of packageFiles(root, compiled)) files.set(`app/${path}`, from);
  return files;
}

/** Of node_modules: all that the project's `files` load, and what they load in turn. */
function packageFiles(root, files) {
  const modules = realpathSync(join(root, 'node_modules')) + sep;
  const found = new Map();
  const visit = (path) => {
    const relative = `node_modules/${path.slice(modules.length)}`;
    if (found.has(relative)) return;
    found.set(relative, path);
    for (const [name, file] of describingFiles(path, modules)) found.set(name, file);
    if (!/\.c?js$/.test(path)) return;
    for (const wanted of requiredBy(path)) visitRequired(path, wanted, { optional: true });
  };
  const visitRequired = (from, wanted, { optional }) => {
    let path;
    try {
      path = createRequire(from).resolve(wanted);
    } catch (cause) {
      if (optional) return; // packages try what they can do without
      throw new Error(`${from} needs ${wanted}, which is not installed: npm install`, { cause });
    }
    if (path.startsWith(modules)) visit(path);
  };
  for (const path of files.map((file) => join(root, file))) {
    for (const wanted of requiredBy(path)) {
      if (!/^(node:|[./])/.test(wanted)) visitRequired(path, wanted, { optional: false });
    }
  }
  for (const name of loadedByName) {
    const folder = join(modules, name);
    if (!existsSync(folder)) {
      throw new Error(`node_modules/${name} is missing: npm install, on x86-64 Linux with glibc`);
    }
    for (const file of filesBelow(folder, '')) {
      found.set(`node_modules/${name}/${file}`, join(folder, file));
    }
  }
  return found;
}

/** The package.json and the licence of the package that a file belongs to. */
function describingFiles(path, modules) {
  let folder = dirname(path);
  const result = [];
  for (; folder.length >= modules.length; folder = dirname(folder)) {
    const names = readdirSync(folder).filter((name) =>
      /^(package\.json|licen[cs]e.*)$/i.test(name),
    );
    for (const name of names) {
      const file = join(folder, name);
      if (lstatSync(file).isFile()) {
        result.push([`node_modules/${file.slice(modules.length)}`, file]);
      }
    }
    if (names.includes('package.json') && namesPackage(folder)) break;
  }
  return result;
}

/** A package.json further in only says how to read a folder: it has no name. */
function namesPackage(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name !== undefined;
}

function requiredBy(path) {
  const calls = readFileSync(path, 'utf8').matchAll(
    /\b(?:require|import)\(\s*["']([^"']+)["']\s*\)/g,
  );
  return new Set([...calls].map(([, name]) => name));
}

function filesBelow(folder, ending) {
  if (!existsSync(folder)) throw new Error(`${folder} is missing: npm run build`);
  return readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith(ending) && statSync(join(folder, path)).isFile())
    .sort();
}
