// What the tiled GEMM computes: y = activation(A B + bias + residual) for matrices that may be gathered from images.
//
// A [rows, depth] comes in two forms:
//   WindowRows     rows are pixels of a grid, the sum runs over (tap, channel): convolution, its input gradient, and a
//                  plain matrix, whose rows are the pixels of one image with one tap
//   WindowColumns  rows are (tap, channel), the sum runs over the pixels: filter gradient, transposed matrix
// B [depth, columns] as well:
//   Rows           row k of the matrix lies in one piece: filter of a convolution, dy of a filter gradient, plain
//   matrix Columns        column n lies in pieces, one for each tap: filter of an input gradient, transposed matrix
// Everything that is read starts at a multiple of 16 bytes and is a multiple of four floats long: see aligned.h.
#pragma once
#include <cstdint>

#include "ops/activation.h"

namespace ftwt::cuda {

// A number written with digits of different radices: (high * radix.middle + middle) * radix.low + low.
struct Radix {
  int middle, low;
};

// Products that differ in their geometry alone, computed in one launch: the residue classes of an input gradient.
constexpr int kMaxParts = 4;

// Grid pixel (i, j) and tap (s, t) meet source pixel (i * step_h + origin_h + s * move_h, ...) of the same image.
struct GemmPart {
  int64_t rows, depth;
  int grid_h, grid_w;
  int origin_h, origin_w;
  int taps_h, taps_w;
  int64_t b_offset, y_offset;
};

struct Window {
  const float* source;  // [images, h, w, c]
  int64_t images;
  int h, w, c;
  int step_h, step_w, move_h, move_w;
};

struct MatrixB {
  const float* data;
  int64_t row;                // Rows: floats from k to k + 1. Columns: from n to n + 1
  int columns;                // Rows: length of a row, a multiple of four
  int piece;                  // Columns: length of a piece, a multiple of four
  int64_t tap_high, tap_low;  // Columns: floats from one tap to the one below, to the one beside
};

// Row (high, middle, low) of y starts at high * `high` + ...; rows with low >= kept are padding and not written. The
// digits are (image, i, j) for WindowRows, (s, t, channel) for WindowColumns.
struct MatrixY {
  float* data;
  int64_t high, middle, low;
  int kept;
};

struct GemmProblem {
  bool a_columns;  // WindowColumns
  bool b_columns;  // Columns
  Window a;
  MatrixB b;
  MatrixY y;
  int columns;  // of y
  int64_t y_size;
  bool splittable;        // this launch writes all of y
  const float* bias;      // [columns], or nullptr
  const float* residual;  // as y, or nullptr; of WindowRows and Rows
  Activation activation;

  int part_count;
  GemmPart parts[kMaxParts];

  // Matrix i of a batch reads matrix i % a_batch of A and i % b_batch of B.
  int64_t batch, a_batch, b_batch;
  int64_t a_stride, b_stride, y_stride;
};

}  // namespace ftwt::cuda
