// What run.sh starts, in the unpacked bundle: one module a command, loaded when it runs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';

const bundle = process.env.FTWT_BUNDLE;
const unpacked = process.env.FTWT_UNPACKED;
const commands = ['test', 'sanitize', 'bench', 'train', 'devices'];
const usage = `usage: bash run.sh COMMAND [arguments] [--device cuda|cuda:N|native|emulator] [--out FOLDER]

  test [PART…]       kernel tests, or those whose file name contains a PART
  sanitize [TOOL…]   every op under compute-sanitizer: memcheck, racecheck, synccheck, initcheck
  bench [ARGUMENTS]  layers and networks on the device and, with python3 and PyTorch, there too (bench --help)
  train [ARGUMENTS]  ftwt demo with the bundled data (--data cifar10 | synthetic; train --help)
  devices            what --device can name

The default device is cuda. Logs and JSON go to FOLDER (default ./out).`;

/** Takes --device and --out from the arguments; the rest is the command's. */
function parse(given) {
  const settings = { device: 'cuda', out: 'out' };
  const rest = [];
  for (let i = 0; i < given.length; i++) {
    const [, name, inline] = /^--(device|out)(?:=(.*))?$/.exec(given[i]) ?? [];
    if (name === undefined) rest.push(given[i]);
    else {
      const value = inline ?? given[++i];
      if (!value) throw new Error(`--${name} needs a value\n\n${usage}`);
      settings[name] = value;
    }
  }
  if (!/^(native|(cuda|emulator)(:\d+)?)$/.test(settings.device)) {
    throw new Error(`--device: expected cuda, cuda:N, native or emulator, got ${settings.device}`);
  }
  return { ...settings, rest };
}

/** What commands share. */
function context({ device, out, rest }) {
  const manifest = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
  const folder = resolve(out);
  mkdirSync(folder, { recursive: true });
  const app = join(unpacked, 'app');
  const environment = { ...process.env, FTWT_COMMIT: manifest.commit, FTWT_OFFLINE: '1' };
  return {
    ...{ app, bundle, unpacked, manifest, device, out: folder, rest, environment },
    /** Runs a program of the bundle with this Node; returns its exit status. */
    node(parameters, { environment: more = {}, ...options } = {}) {
      const env = { ...environment, ...more };
      const result = spawnSync(process.execPath, parameters, { stdio: 'inherit', env, ...options });
      if (result.error !== undefined) throw result.error;
      return result.status ?? 1;
    },
    save(name, value) {
      const path = join(folder, name);
      writeFileSync(path, `${JSON.stringify({ ...manifest, device, ...value }, null, 2)}\n`);
      console.log(`written to ${path}`);
    },
    /** @throws Error if the device is not there */
    requireDevice() {
      const script =
        "require('./dist/src/index.js').setDevice(process.argv[1]).catch((error) => { console.error(error.message); process.exit(1); })";
      const { status, stderr } = spawnSync(process.execPath, ['-e', script, device], {
        cwd: app,
        env: environment,
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`--device ${device}: ${stderr.trim()}`);
    },
  };
}

async function main([command, ...given]) {
  if (command === undefined || command === 'help' || command === '--help') {
    console.log(usage);
    return command === undefined ? 2 : 0;
  }
  if (!commands.includes(command)) throw new Error(`no command "${command}"\n\n${usage}`);
  const { run } = await import(`./${command}.mjs`);
  return run(context(parse(given)));
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`run.sh: ${error.message}`);
  process.exitCode = 1;
}
