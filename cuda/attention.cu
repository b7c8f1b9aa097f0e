/* Attention over packed sequences: context = softmax(scale · q kᵀ) v for every sequence and head, without a
 * logit matrix in memory. Keys come in tiles, and a running maximum per query keeps the sums in range (online
 * softmax: Milakov and Gimelshein 2018, arXiv:1805.02867; tiling: Dao et al. 2022, arXiv:2205.14135).
 *
 *   qkv      [tokens, 3, heads, D] fp16        D = head size: 32, 64 or 128
 *   context  [tokens, heads, D] fp16
 *
 * A block has four warps and computes one head for one query tile: 64 queries from one sequence, or 128 if
 * sequences are long. A warp owns 16 or 32 queries; with 32, each K and V number read from shared memory
 * serves twice. The K and V tiles are double-buffered: tile j + 1 is copied while tile j is used. Each tile
 * needs one barrier.
 *
 * Shared memory (32 KiB; 16 KiB if D is 32): a row has D numbers, in 16-byte chunks. Chunks are swizzled so
 * that ldmatrix has no bank conflict:
 *
 *   stage 0   K tile | V tile                          after the last tile: the results
 *   stage 1   K tile | V tile                          before its first tile: the queries
 *
 * Traffic:    for each token, reads q, k and v once and writes context once: 8 · hidden bytes. If a
 *             sequence is longer than a tile, each query tile reads the sequence's k and v again, from L2.
 * Operations: for each query and head: 4 · length · D on the tensor cores, a fraction 4 / D on top to sum
 *             the weights, and length exponentials.
 * Occupancy:  registers allow 5, 4 and 3 blocks on an SM for D = 32, 64 and 128 (3 for 64, too, if an SM has
 *             100 KiB of shared memory), 2 with 128 queries. All fragments stay in registers, because loops
 *             over them have constant bounds and are unrolled. tests/nvcc checks that none is in memory. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define WARPS 4
#define THREADS (WARPS * WARP_LANES)
#define CHUNK 8               /* fp16 numbers in 16 bytes */
#define HALF_ONES 0x3c003c00u /* 1 and 1 */
#define LOG2_E 1.4426950408889634f

/* The layout for a head size. */
template <int D>
struct layout {
  static const int chunks = D / CHUNK;       /* in a row */
  static const int keys = D <= 64 ? 64 : 32; /* in a tile */
  static const int tile = keys * chunks;     /* chunks in a K or V tile */
  static const int stage = 2 * tile;
  static const int line_rows = chunks < 8 ? 8 / chunks : 1; /* rows in 128 bytes (one pass over the banks) */
  static const int blocks = D == 32 ? 5 : D == 64 ? 4 : 3;  /* on an SM, by registers */
  static const int mix = chunks < 8 ? chunks - 1 : 7;
};

/* One warp's state for M times 16 queries, in fragments (cuda/device.h). */
template <int D, int M>
struct queries {
  uint32_t q[M][D / 16][4];
  float sum[M][D / 8][4]; /* Σ weight · v */
  float weight[M][4];     /* Σ weight: the product with v = 1; all columns are equal */
  float peak[M][2];       /* largest logit so far in rows g and g + 8, before scaling */
};

/* A chunk's place in a tile. Chunks with the same index in eight rows lie in different banks. */
template <int D>
__device__ __forceinline__ int swizzle(int row, int chunk) {
  return row * layout<D>::chunks + (chunk ^ (row / layout<D>::line_rows & layout<D>::mix));
}

/* Starts to copy `rows` rows from q, k or v, `stride` numbers apart. Rows from `present` on do not exist and
 * become zeros: zero weight times an old value in memory could be a NaN. */
template <int D>
__device__ __forceinline__ void rows_copy(uint4 *tile, const uint16_t *from, int stride, int rows,
                                          int present) {
  const int chunk = threadIdx.x % layout<D>::chunks;
  from += chunk * CHUNK;
#pragma unroll 1 /* if unrolled, the addresses would push fragments out of the registers */
  for (int row = threadIdx.x / layout<D>::chunks; row < rows; row += THREADS / layout<D>::chunks)
    cp_async16(&tile[swizzle<D>(row, chunk)], from + (row < present ? row : 0) * stride, row < present);
}

/* Loads the warp's queries, the tile's rows from `first` on, into registers. */
template <int D, int M>
__device__ __forceinline__ void queries_begin(struct queries<D, M> &own, const uint4 *tile, int first,
                                              int lane) {
  for (int m = 0; m < M; m++) {
    for (int k = 0; k < D / 16; k++)
      ldmatrix_x4(own.q[m][k], &tile[swizzle<D>(first + 16 * m + lane % 16, 2 * k + lane / 16)]);
    for (int n = 0; n < D / 8; n++)
      for (int i = 0; i < 4; i++) own.sum[m][n][i] = 0;
    for (int i = 0; i < 4; i++) own.weight[m][i] = 0;
    for (int i = 0; i < 2; i++) own.peak[m][i] = -INFINITY;
  }
}

/* s = q kᵀ; minus infinity for keys from `present` on. */
template <int D, int M>
__device__ __forceinline__ void logits(const struct queries<D, M> &own, const uint4 *tile, int present,
                                       int lane, float (&s)[M][layout<D>::keys / 8][4]) {
  for (int n = 0; n < layout<D>::keys / 16; n++) {
    for (int m = 0; m < M; m++)
      for (int i = 0; i < 4; i++) s[m][2 * n][i] = s[m][2 * n + 1][i] = 0;
    if (16 * n >= present) continue;
    for (int k = 0; k < D / 16; k++) {
      uint32_t keys[4]; /* b0 and b1 for keys 0 … 7, then for keys 8 … 15 */
      ldmatrix_x4(keys, &tile[swizzle<D>(16 * n + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2)]);
      for (int m = 0; m < M; m++) {
        mma_m16n8k16(s[m][2 * n], own.q[m][k], keys[0], keys[1]);
        mma_m16n8k16(s[m][2 * n + 1], own.q[m][k], keys[2], keys[3]);
      }
    }
  }
  if (present >= layout<D>::keys) return;
  for (int n = 0; n < layout<D>::keys / 8; n++)
    for (int i = 0; i < 4; i++)
      if (8 * n + lane % 4 * 2 + i % 2 >= present)
        for (int m = 0; m < M; m++) s[m][n][i] = -INFINITY;
}

/* Raises the peaks to the tile's largest logits, scales down the sums that used the old peaks, and then turns
 * logits into weights, 2^((logit - peak) · scale). Subtracts before scaling: if both numbers are huge, a
 * fused logit · scale - peak · scale can be far above zero. */
template <int D, int M>
__device__ __forceinline__ void logits_weigh(struct queries<D, M> &own, float scale,
                                             float (&s)[M][layout<D>::keys / 8][4]) {
  for (int m = 0; m < M; m++) {
    for (int r = 0; r < 2; r++) {
      float peak = own.peak[m][r];
      for (int n = 0; n < layout<D>::keys / 8; n++)
        peak = fmaxf(peak, fmaxf(s[m][n][2 * r], s[m][n][2 * r + 1]));
      peak = fmaxf(peak, __shfl_xor_sync(ALL_LANES, peak, 1)); /* a row lies in four lanes */
      peak = fmaxf(peak, __shfl_xor_sync(ALL_LANES, peak, 2));
      const float shrink = exp2_fast((own.peak[m][r] - peak) * scale);
      own.peak[m][r] = peak;
      for (int n = 0; n < layout<D>::keys / 8; n++)
        for (int i = 2 * r; i < 2 * r + 2; i++) s[m][n][i] = exp2_fast((s[m][n][i] - peak) * scale);
      for (int i = 2 * r; i < 2 * r + 2; i++) {
        own.weight[m][i] *= shrink;
        for (int n = 0; n < D / 8; n++) own.sum[m][n][i] *= shrink;
      }
    }
  }
}

/* sum += weights · v. An accumulator's fragments, rounded and paired, are laid out as a left operand must
 * be. */
template <int D, int M>
__device__ __forceinline__ void values_add(struct queries<D, M> &own, const uint4 *tile, int present,
                                           int lane, const float (&s)[M][layout<D>::keys / 8][4]) {
  for (int n = 0; n < layout<D>::keys / 16; n++) {
    if (16 * n >= present) break;
    uint32_t weights[M][4];
    for (int m = 0; m < M; m++) {
      for (int i = 0; i < 4; i++)
        weights[m][i] = floats_to_halves(s[m][2 * n + i / 2][i % 2 * 2], s[m][2 * n + i / 2][i % 2 * 2 + 1]);
      mma_m16n8k16(own.weight[m], weights[m], HALF_ONES, HALF_ONES);
    }
    for (int k = 0; k < D / 16; k++) {
      uint32_t values[4]; /* b0 and b1 for columns 0 … 7, then for columns 8 … 15 */
      ldmatrix_x4_trans(values, &tile[swizzle<D>(16 * n + lane % 16, 2 * k + lane / 16)]);
      for (int m = 0; m < M; m++) {
        mma_m16n8k16(own.sum[m][2 * k], weights[m], values[0], values[1]);
        mma_m16n8k16(own.sum[m][2 * k + 1], weights[m], values[2], values[3]);
      }
    }
  }
}

/* Divides, rounds and writes the first `present` rows. `tile`: shared memory that only this warp uses. */
template <int D, int M>
__device__ __forceinline__ void queries_finish(const struct queries<D, M> &own, uint4 *tile, int present,
                                               int lane, uint16_t *context, int stride) {
  for (int m = 0; m < M; m++)
    for (int r = 0; r < 2; r++) {
      const float factor = 1.0f / own.weight[m][2 * r];
      for (int n = 0; n < D / 8; n++) {
        uint4 *chunk = &tile[swizzle<D>(16 * m + 8 * r + lane / 4, n)];
        reinterpret_cast<uint32_t *>(chunk)[lane % 4] =
            floats_to_halves(own.sum[m][n][2 * r] * factor, own.sum[m][n][2 * r + 1] * factor);
      }
    }
  __syncwarp();
  for (int i = lane; i < 16 * M * layout<D>::chunks; i += WARP_LANES) {
    const int row = i / layout<D>::chunks, chunk = i % layout<D>::chunks;
    if (row < present) store16(context + row * stride + chunk * CHUNK, tile[swizzle<D>(row, chunk)]);
  }
}

/* Computes one head for one tile with M · 64 queries. If sequences are short (M = 1), a tile's heads are
 * neighbours in the grid, so that whole qkv rows are read together. If sequences are long, a head's tiles are
 * neighbours, so that the head's K and V stay in L2. */
template <int D, int M>
__global__ void __launch_bounds__(THREADS, layout<D>::blocks / M)
    attention(const struct attention_tile *tiles, int tile_count, const uint16_t *qkv, int heads, float scale,
              uint16_t *context) {
  typedef layout<D> L;
  SHARED_ARRAY(uint4, shared, 2 * L::stage);
  const int lane = threadIdx.x % WARP_LANES, warp = threadIdx.x / WARP_LANES;
  const int block = static_cast<int>(blockIdx.x);
  const struct attention_tile tile = tiles[M == 1 ? block / heads : block % tile_count];
  const int head = M == 1 ? block % heads : block / tile_count;

  const int hidden = heads * D, stride = 3 * hidden;
  const uint16_t *const query = qkv + static_cast<int64_t>(tile.first) * stride + head * D;
  const uint16_t *key = query + hidden; /* next tile's keys; the values are `hidden` numbers further */
  const int tile_rows = min(tile.tokens - tile.query, 64 * M);
  const int first_row = 16 * M * warp; /* this warp's first row; may be past the tile's last row */
  const int key_tiles = (tile.tokens + L::keys - 1) / L::keys;

  rows_copy<D>(shared + L::stage, query + tile.query * stride, stride, 64 * M, tile_rows);
  rows_copy<D>(shared, key, stride, L::keys, tile.tokens);
  rows_copy<D>(shared + L::tile, key + hidden, stride, L::keys, tile.tokens);
  cp_async_wait();
  __syncthreads();
  struct queries<D, M> own;
  queries_begin<D, M>(own, shared + L::stage, first_row, lane);
  __syncthreads(); /* every warp has its queries: stage 1 is free */

  for (int j = 0; j < key_tiles; j++) {
    const uint4 *const stage = shared + j % 2 * L::stage;
    const int present = tile.tokens - j * L::keys;
    if (j > 0) {
      cp_async_wait();
      __syncthreads(); /* tile j is here, and no warp reads tile j - 1 any more */
    }
    if (j + 1 < key_tiles) {
      uint4 *const next = shared + (j + 1) % 2 * L::stage;
      key += L::keys * stride;
      rows_copy<D>(next, key, stride, L::keys, present - L::keys);
      rows_copy<D>(next + L::tile, key + hidden, stride, L::keys, present - L::keys);
    }
    if (first_row < tile_rows) {
      float s[M][L::keys / 8][4];
      logits<D, M>(own, stage, present, lane, s);
      logits_weigh<D, M>(own, scale, s);
      values_add<D, M>(own, stage + L::tile, present, lane, s);
    }
  }

  __syncthreads(); /* no warp needs the last tile any more: its memory takes the results */
  uint16_t *const out =
      context + (static_cast<int64_t>(tile.first) + tile.query + first_row) * hidden + head * D;
  queries_finish<D, M>(own, shared + first_row * L::chunks, tile_rows - first_row, lane, out, hidden);
}

template <int D, int M>
static cudaError_t attention_launch(const struct attention_plan *plan, const struct attention_tile *tiles,
                                    const uint16_t *qkv, int32_t heads, float scale, uint16_t *context,
                                    cudaStream_t stream) {
  const int64_t blocks = static_cast<int64_t>(plan->tiles) * heads;
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  return kernel_launch(attention<D, M>, static_cast<uint32_t>(blocks), THREADS, 0, stream, tiles, plan->tiles,
                       qkv, heads, scale * LOG2_E, context);
}

cudaError_t kernel_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                             const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                             uint16_t *context, cudaStream_t stream) {
  if (plan->tiles < 1 || heads < 1 || head_size < 1 || heads > KERNEL_HIDDEN_MAX / head_size ||
      !(scale > 0) || !is_aligned16(tiles) || !is_aligned16(qkv) || !is_aligned16(context))
    return cudaErrorInvalidValue;
  const int32_t size = head_size, rows = plan->rows;
  const auto launch = size == 32 && rows == 64    ? attention_launch<32, 1>
                      : size == 32 && rows == 128 ? attention_launch<32, 2>
                      : size == 64 && rows == 64  ? attention_launch<64, 1>
                      : size == 64 && rows == 128 ? attention_launch<64, 2>
                      : size == 128 && rows == 64 ? attention_launch<128, 1>
                                                  : nullptr;
  return launch ? launch(plan, tiles, qkv, heads, scale, context, stream) : cudaErrorInvalidValue;
}
