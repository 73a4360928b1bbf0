/** Why an operation of this package failed. */
export type FtwtErrorCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND' // a file, directory or data set that is missing or cannot be read
  | 'CUDA_ERROR'
  | 'OUT_OF_MEMORY'
  | 'NO_DEVICE'
  | 'CORRUPT_FILE'
  | 'INTERNAL';

/** The one error class of this package. `code` is stable; `message` says what was expected and what was found. */
export class FtwtError extends Error {
  override readonly name = 'FtwtError';
  constructor(
    readonly code: FtwtErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Throws an `FtwtError` unless `condition` holds. The message is built only on failure. */
export function check(
  condition: boolean,
  message: () => string,
  code: FtwtErrorCode = 'INVALID_ARGUMENT',
): asserts condition {
  if (!condition) throw new FtwtError(code, message());
}
