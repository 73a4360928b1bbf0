/** Data sets as the rest of the package sees them: bytes, labels and a shape. */

/** Height, width and channels of one image. */
export type ImageShape = [height: number, width: number, channels: number];

/** Images and labels of one part of a data set. */
export interface Split {
  /** [count, h, w, c], raw bytes 0 .. 255. */
  images: Uint8Array;
  /** [count], indices into `Dataset.classes`. */
  labels: Uint8Array | Int32Array;
  count: number;
  shape: ImageShape;
}

/** A labelled image data set in memory. */
export interface Dataset {
  /** What reports print, for instance `fashion-mnist`. */
  name: string;
  /** Class names; a label is an index into them. */
  classes: string[];
  train: Split;
  test: Split;
}

/** How far a loader is: bytes while fetching, images while decoding. */
export interface DataProgress {
  /** Where the data comes from: a URL, a package, a directory. */
  source: string;
  /** The file at work, if there is a single one. */
  file?: string;
  unit: 'bytes' | 'images';
  done: number;
  /** Missing when the source does not say. */
  total?: number;
}

/** Called often; must not throw. */
export type OnProgress = (progress: DataProgress) => void;
