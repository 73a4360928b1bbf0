/** A package onnxruntime-node that is none: what a command makes of one that it finds must not depend on the machine. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const broken = `throw new Error('no library for this machine\\nRequire stack: ...');`;

/** Ten zeros for each image. */
const wrong = `
exports.Tensor = class { constructor(type, data, shape) { Object.assign(this, { type, data, shape }); } };
exports.InferenceSession = {
  create: async () => ({
    inputMetadata: [{ shape: ['n', 28, 28, 1] }],
    run: async ({ images }) => ({ logits: { data: new Float32Array(10 * images.shape[0]) } }),
    release: async () => undefined,
  }),
};`;

/** @param folder made if missing; a process that runs there finds the package first */
export async function installFakeOnnxRuntime(
  folder: string,
  fake: { version: string; broken?: boolean },
): Promise<void> {
  const home = join(folder, 'node_modules', 'onnxruntime-node');
  await mkdir(home, { recursive: true });
  const description = { name: 'onnxruntime-node', version: fake.version, main: 'index.js' };
  await writeFile(join(home, 'package.json'), JSON.stringify(description));
  await writeFile(join(home, 'index.js'), fake.broken ? broken : wrong);
}
