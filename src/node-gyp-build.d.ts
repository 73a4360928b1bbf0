declare module 'node-gyp-build' {
  interface Loader {
    /** Loads the prebuilt or locally built addon of the package in `directory`. */
    (directory: string): unknown;
    /** The file that would be loaded. */
    path(directory: string): string;
  }
  const load: Loader;
  export default load;
}
