// Data sets for a bundle: path in its data archive -> file or contents.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const fashionMnist = [
  'train-images-idx3',
  'train-labels-idx1',
  't10k-images-idx3',
  't10k-labels-idx1',
];

/** The four files of a folder, uncompressed: xz packs them tighter than gzip has. */
export function fashionMnistFiles(folder) {
  return new Map(
    fashionMnist.map((stem) => {
      const name = `${stem}-ubyte`;
      const path = join(folder, `${name}.gz`);
      if (!existsSync(path)) {
        throw new Error(
          `--fashion-mnist: ${path} is missing. \`npx ftwt demo\` fetches it; FTWT_CACHE tells where to`,
        );
      }
      return [`fashion-mnist/${name}`, gunzipSync(readFileSync(path))];
    }),
  );
}

/** CIFAR-10 in the official binary files, or as images in train/<class> and test/<class>. */
export function cifar10Files(folder) {
  const official = join(folder, 'cifar-10-batches-bin');
  const root = existsSync(official) ? official : folder;
  const hasBatches = existsSync(join(root, 'data_batch_1.bin'));
  const hasFolders = ['train', 'test'].every((name) => existsSync(join(root, name)));
  if (!hasBatches && !hasFolders) {
    throw new Error(
      `--cifar10: expected data_batch_1.bin … or the folders train and test in ${folder}, found neither`,
    );
  }
  const wanted = hasBatches ? /^(\w+\.bin|batches\.meta\.txt)$/ : /^(train|test)\//;
  const paths = readdirSync(root, { recursive: true })
    .filter((path) => wanted.test(path) && statSync(join(root, path)).isFile())
    .sort();
  return new Map(paths.map((path) => [`cifar10/${path}`, join(root, path)]));
}
