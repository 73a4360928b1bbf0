declare module 'node-gyp-build' {
  /** Loads the prebuilt or locally built addon of the package in `directory`. */
  export default function load(directory: string): unknown;
}
