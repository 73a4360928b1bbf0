/** Matrix products that are tested: shapes as stored, so [k, m] for `a` with transposeA. */
export interface MatmulCase {
  name: string;
  a: number[];
  b: number[];
  transposeA?: boolean;
  transposeB?: boolean;
}

export const matmulCases: MatmulCase[] = [
  { name: 'one number', a: [1, 1], b: [1, 1] },
  { name: 'a row and a matrix', a: [1, 37], b: [37, 21] },
  { name: 'odd sizes', a: [15, 29], b: [29, 70] },
  { name: 'more rows than one block', a: [101, 5], b: [5, 3] },
  { name: 'transposed a', a: [29, 15], b: [29, 70], transposeA: true },
  { name: 'transposed b', a: [15, 29], b: [70, 29], transposeB: true },
  { name: 'both transposed', a: [29, 15], b: [70, 29], transposeA: true, transposeB: true },
  { name: 'batch', a: [3, 5, 7], b: [3, 7, 9] },
  { name: 'batch, transposed a', a: [3, 7, 5], b: [3, 7, 9], transposeA: true },
  { name: 'batch, transposed b', a: [3, 5, 7], b: [3, 9, 7], transposeB: true },
  { name: 'one b for the batch', a: [4, 5, 7], b: [1, 7, 9] },
  { name: 'one a for the batch', a: [1, 5, 7], b: [4, 7, 9] },
  { name: 'the inner batch dimension repeats', a: [3, 4, 6], b: [2, 3, 6, 5] },
  { name: 'empty batch', a: [0, 4, 6], b: [0, 6, 5] },
  { name: 'empty sum', a: [3, 0], b: [0, 5] },
  { name: 'empty sum, transposed', a: [0, 3], b: [0, 5], transposeA: true },
];
