/** Models on disk in tfjs's layers format: a folder with model.json and weights.bin. */
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../errors.js';
import {
  checkSha256,
  parseJson,
  readIntact,
  removeLeftovers,
  sha256,
  writeFileAtomically,
  type FileContent,
} from './atomicFile.js';

const modelFile = 'model.json';
const weightsFile = 'weights.bin';
/** Holds the new weights for the moment in which the old model.json must stay usable. */
const interimWeightsFile = 'weights.interim.bin';

/** tfjs's model.json, and a checksum per weights file (other readers ignore it). */
interface ModelJson extends tf.io.ModelJSON {
  sha256?: Record<string, string>;
}

/** A tfjs IO handler that saves into `folder`. */
export function folderSaver(folder: string): tf.io.IOHandler {
  return { save: (artifacts) => saveArtifacts(artifacts, folder) };
}

/** A tfjs IO handler that loads from a folder, or from the path of its model.json. */
export function folderLoader(path: string): tf.io.IOHandler {
  return { load: () => loadArtifacts(path) };
}

/**
 * Saves a model as `<folder>/model.json` and `<folder>/weights.bin` (tfjs layers format, readable by any tfjs).
 * A kill at any moment leaves the model that was there before, or the new one. Other files in the folder stay.
 *
 * @param folder made if missing
 * @throws FtwtError INVALID_ARGUMENT if the folder cannot be written
 */
export async function saveModel(model: tf.LayersModel, folder: string): Promise<void> {
  await model.save(folderSaver(folder));
}

/**
 * Loads a model that `saveModel`, `model.save('file://…')` or any other tfjs has saved.
 *
 * @param path the folder, or the model.json in it
 * @throws FtwtError CORRUPT_FILE if a file is missing, truncated or damaged: which one, expected and actual bytes
 */
export async function loadModel(path: string): Promise<tf.LayersModel> {
  return tf.loadLayersModel(folderLoader(path));
}

async function saveArtifacts(
  artifacts: tf.io.ModelArtifacts,
  folder: string,
): Promise<tf.io.SaveResult> {
  if (artifacts.modelTopology instanceof ArrayBuffer) {
    throw new FtwtError('INVALID_ARGUMENT', 'saving to file:// needs a topology in JSON');
  }
  const weights = new Uint8Array(
    tf.io.CompositeArrayBuffer.join(artifacts.weightData ?? new ArrayBuffer(0)),
  );
  const write = async (name: string, content: FileContent): Promise<void> =>
    writeFileAtomically(join(folder, name), content);
  try {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder);
    if (await refersTo(join(folder, modelFile), weightsFile)) {
      // Point the old model.json elsewhere before its weights change.
      await write(interimWeightsFile, weights);
      await write(modelFile, modelJson(artifacts, interimWeightsFile, weights));
    }
    await write(weightsFile, weights);
    await write(modelFile, modelJson(artifacts, weightsFile, weights));
    await rm(join(folder, interimWeightsFile), { force: true });
  } catch (cause) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `saveModel: ${folder} must be a folder that can be written to: ${(cause as Error).message}`,
      { cause },
    );
  }
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
}

function modelJson(artifacts: tf.io.ModelArtifacts, path: string, weights: Uint8Array): string {
  const { weightSpecs = [] } = artifacts;
  return JSON.stringify({
    ...artifacts,
    weightSpecs: undefined,
    weightData: undefined,
    weightsManifest: [{ paths: [path], weights: weightSpecs }],
    sha256: { [path]: sha256(weights) },
  });
}

async function loadArtifacts(path: string): Promise<tf.io.ModelArtifacts> {
  const file = (await isFolder(path)) ? join(path, modelFile) : path;
  const json = parseJson(file, await readIntact(file)) as ModelJson | null;
  const manifest = json?.weightsManifest;
  if (!isRecord(json?.modelTopology) || !Array.isArray(manifest) || !manifest.every(isGroup)) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${file} is damaged: expected a tfjs model with modelTopology and weightsManifest`,
    );
  }
  return tf.io.getModelArtifactsForJSON(json, async () => [
    manifest.flatMap((group) => group.weights),
    await readWeights(dirname(file), json),
  ]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Whether an entry of a weights manifest is complete. */
function isGroup(group: unknown): boolean {
  return (
    isRecord(group) &&
    Array.isArray(group.paths) &&
    group.paths.every((path) => typeof path === 'string') &&
    Array.isArray(group.weights) &&
    group.weights.every((weight) => isRecord(weight) && Array.isArray(weight.shape))
  );
}

async function readWeights(folder: string, json: ModelJson): Promise<ArrayBuffer> {
  const files: Uint8Array[] = [];
  for (const { paths, weights } of json.weightsManifest) {
    const expected = byteLength(weights);
    let actual = 0;
    for (const name of paths) {
      const path = join(folder, name);
      const content = await readIntact(path, paths.length === 1 ? expected : undefined);
      const checksum = json.sha256?.[name];
      if (checksum !== undefined) checkSha256(path, content, checksum);
      actual += content.length;
      files.push(content);
    }
    if (expected !== undefined && actual !== expected) {
      throw new FtwtError(
        'CORRUPT_FILE',
        `${paths.map((name) => join(folder, name)).join(', ')} are damaged: expected ${expected} bytes together, got ${actual}`,
      );
    }
  }
  // A copy, because Buffers of small files share one pooled ArrayBuffer.
  return Uint8Array.from(Buffer.concat(files)).buffer;
}

/** Bytes of the weights on disk; undefined if strings are among them, whose length is in the data. */
function byteLength(weights: readonly tf.io.WeightsManifestEntry[]): number | undefined {
  const bytesPerValue: Record<string, number> = {
    float32: 4,
    int32: 4,
    complex64: 8,
    bool: 1,
    uint8: 1,
    uint16: 2,
    float16: 2,
  };
  let total = 0;
  for (const { shape, dtype, quantization } of weights) {
    const bytes = bytesPerValue[quantization?.dtype ?? dtype];
    if (bytes === undefined) return undefined;
    total += bytes * tf.util.sizeFromShape(shape);
  }
  return total;
}

/** False for a missing or damaged model.json: nothing there to preserve. */
async function refersTo(file: string, weights: string): Promise<boolean> {
  try {
    const json = parseJson(file, await readIntact(file)) as ModelJson;
    return json.weightsManifest.some(({ paths }) => paths.includes(weights));
  } catch {
    return false;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
