/** The IDX format of the MNIST family: 0, 0, type, rank, big-endian sizes, elements. */
import { FtwtError } from '../errors.js';

/** An array of unsigned bytes, row-major. */
export interface IdxArray {
  sizes: number[];
  data: Uint8Array;
}

const unsignedByte = 0x08;

/**
 * Parses an (uncompressed) IDX file of unsigned bytes.
 * @param bytes the whole file; the result shares its memory
 * @param name for error messages
 * @param rank the expected number of dimensions
 * @throws FtwtError CORRUPT_FILE for a wrong magic number, type, rank, or length
 */
export function parseIdx(bytes: Uint8Array, name: string, rank: number): IdxArray {
  const fail = (problem: string): never => {
    throw new FtwtError('CORRUPT_FILE', `${name} is not a valid IDX file: ${problem}`);
  };
  const header = 4 + 4 * rank;
  if (bytes.length < 4) fail(`expected at least 4 bytes, got ${bytes.length}`);
  const expected = [0, 0, unsignedByte, rank];
  if (expected.some((byte, i) => bytes[i] !== byte)) {
    fail(`expected magic number ${expected.join(' ')}, got ${bytes.subarray(0, 4).join(' ')}`);
  }
  if (bytes.length < header) fail(`expected a header of ${header} bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  if (sizes.includes(0)) fail(`sizes must be >= 1, got [${sizes.join(', ')}]`);
  const elements = sizes.reduce((product, size) => product * size, 1);
  if (bytes.length !== header + elements) {
    fail(
      `[${sizes.join(', ')}] elements take ${header + elements} bytes with the header, ` +
        `got ${bytes.length}`,
    );
  }
  return { sizes, data: bytes.subarray(header) };
}
