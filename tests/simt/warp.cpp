#include "state.h"

static struct machine *const machine = &simt_machine;

/* --- Shuffles and votes --------------------------------------------------------------------------------- */

static void meet_nothing(void *const *, uint32_t) {}

void __syncwarp(uint32_t mask) {
  simt_warp_meet(mask, meet_nothing, nullptr);
}

void simt_shuffle(void *const *brought, uint32_t mask) {
  char values[LANES][16];
  memset(values, 0xff, sizeof values); /* what a lane outside the mask would give is undefined */
  for (uint32_t lane = 0; lane < LANES; lane++) {
    if (!(mask >> lane & 1)) continue;
    const struct simt_shuffle *shuffle = static_cast<struct simt_shuffle *>(brought[lane]);
    memcpy(values[lane], shuffle->value, shuffle->bytes);
  }
  for (uint32_t lane = 0; lane < LANES; lane++) {
    if (!(mask >> lane & 1)) continue;
    const struct simt_shuffle *shuffle = static_cast<struct simt_shuffle *>(brought[lane]);
    memcpy(shuffle->value, values[shuffle->source], shuffle->bytes);
  }
}

struct ballot {
  bool vote;
  uint32_t votes;
};

static void meet_ballot(void *const *brought, uint32_t mask) {
  uint32_t votes = 0;
  for (uint32_t lane = 0; lane < LANES; lane++)
    if (mask >> lane & 1)
      votes |= static_cast<uint32_t>(static_cast<struct ballot *>(brought[lane])->vote) << lane;
  for (uint32_t lane = 0; lane < LANES; lane++)
    if (mask >> lane & 1) static_cast<struct ballot *>(brought[lane])->votes = votes;
}

uint32_t simt_ballot(uint32_t mask, bool vote) {
  struct ballot ballot = {vote, 0};
  simt_warp_meet(mask, meet_ballot, &ballot);
  return ballot.votes;
}

/* --- mma ------------------------------------------------------------------------------------------------ */

struct mma {
  float *d;
  const uint32_t *a;
  uint32_t b[2];
};

/* Unpacks a register's two numbers. */
static void unpack(uint32_t halves, float *first, float *second) {
  const float2 floats = halves_to_floats(halves);
  *first = floats.x;
  *second = floats.y;
}

static void meet_mma(void *const *brought, uint32_t) {
  float a[16][16], b[16][8], d[16][8];
  for (uint32_t lane = 0; lane < LANES; lane++) {
    const struct mma *mma = static_cast<struct mma *>(brought[lane]);
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t i = 0; i < 4; i++) {
      float *pair = &a[g + i % 2 * 8][2 * t + i / 2 * 8];
      unpack(mma->a[i], &pair[0], &pair[1]);
      d[g + i / 2 * 8][2 * t + i % 2] = mma->d[i];
    }
    for (uint32_t i = 0; i < 2; i++) unpack(mma->b[i], &b[2 * t + i * 8][g], &b[2 * t + i * 8 + 1][g]);
  }
  for (uint32_t row = 0; row < 16; row++)
    for (uint32_t k = 0; k < 16; k++)
      for (uint32_t column = 0; column < 8; column++) d[row][column] += a[row][k] * b[k][column];
  for (uint32_t lane = 0; lane < LANES; lane++)
    for (uint32_t i = 0; i < 4; i++)
      static_cast<struct mma *>(brought[lane])->d[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
  machine->counts.mma++;
}

void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, uint32_t line) {
  struct mma mma = {d, a, {b0, b1}};
  simt_warp_meet(0xffffffffu, meet_mma, &mma, line);
}

/* --- ldmatrix ------------------------------------------------------------------------------------------- */

struct ldmatrix {
  uint32_t *r;
  const void *row;
};

/* Eight rows of 16 bytes are read at once if they lie in different banks: 128 bytes hold each bank once. */
static uint32_t conflicts(void *const *brought) {
  uint32_t rows[8] = {0}, worst = 0;
  for (uint32_t i = 0; i < 8; i++) {
    const struct ldmatrix *ldmatrix = static_cast<struct ldmatrix *>(brought[i]);
    const uint32_t count = ++rows[reinterpret_cast<uintptr_t>(ldmatrix->row) / 16 % 8];
    if (count > worst) worst = count;
  }
  return worst - 1;
}

static void matrices_load(void *const *brought, bool transposed) {
  uint16_t matrix[4][8][8];
  for (uint32_t lane = 0; lane < LANES; lane++) {
    const void *row = static_cast<struct ldmatrix *>(brought[lane])->row;
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
      machine_fail("ldmatrix: lane %u's row is not aligned to 16", lane);
    memcpy(matrix[lane / 8][lane % 8], row, 16);
  }
  for (uint32_t lane = 0; lane < LANES; lane++) {
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t i = 0; i < 4; i++) {
      const uint32_t low = transposed ? matrix[i][2 * t][g] : matrix[i][g][2 * t];
      const uint32_t high = transposed ? matrix[i][2 * t + 1][g] : matrix[i][g][2 * t + 1];
      static_cast<struct ldmatrix *>(brought[lane])->r[i] = low | high << 16;
    }
  }
  for (uint32_t i = 0; i < 4; i++) machine->counts.ldmatrix_conflicts += conflicts(brought + 8 * i);
  machine->counts.ldmatrix++;
}

static void meet_ldmatrix(void *const *brought, uint32_t) {
  matrices_load(brought, false);
}
static void meet_ldmatrix_trans(void *const *brought, uint32_t) {
  matrices_load(brought, true);
}

void ldmatrix_x4(uint32_t (&r)[4], const void *row, uint32_t line) {
  struct ldmatrix ldmatrix = {r, row};
  simt_warp_meet(0xffffffffu, meet_ldmatrix, &ldmatrix, line);
}

void ldmatrix_x4_trans(uint32_t (&r)[4], const void *row, uint32_t line) {
  struct ldmatrix ldmatrix = {r, row};
  simt_warp_meet(0xffffffffu, meet_ldmatrix_trans, &ldmatrix, line);
}

/* --- cp.async ------------------------------------------------------------------------------------------- */

void cp_async16(void *shared, const void *global, bool valid) {
  if (reinterpret_cast<uintptr_t>(shared) % 16 != 0 || reinterpret_cast<uintptr_t>(global) % 16 != 0)
    machine_fail("cp.async: thread %u copies from or to an address not aligned to 16", machine->running);
  memset(shared, 0xff, 16);
  machine->thread[machine->running].copies.push_back({shared, valid ? global : nullptr});
  machine->counts.copied += valid ? 16 : 0;
}

void cp_async_wait(void) {
  std::vector<struct copy> &copies = machine->thread[machine->running].copies;
  for (const struct copy &copy : copies) {
    if (copy.global)
      memcpy(copy.shared, copy.global, 16);
    else
      memset(copy.shared, 0, 16);
  }
  copies.clear();
}

/* --- fp16 ----------------------------------------------------------------------------------------------- */

float simt_half_to_float(uint16_t half) {
  uint32_t bits = (half & 0x7fffu) << 13;
  float value;
  memcpy(&value, &bits, sizeof value);
  value *= 0x1p112f; /* adjusts for the different exponent biases; subnormals come out right too */
  memcpy(&bits, &value, sizeof bits);
  if ((half & 0x7c00u) == 0x7c00u) bits |= 0x7f800000u;
  bits |= (half & 0x8000u) << 16;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint16_t simt_half_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return static_cast<uint16_t>(0x7fffu); /* the NaN that the hardware gives */
  if (bits >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (bits < 0x38800000u) { /* subnormal: adding 1/2 rounds to multiples of 2^-24 */
    float magnitude = fabsf(value) + 0.5f;
    memcpy(&bits, &magnitude, sizeof bits);
    return static_cast<uint16_t>(sign | (bits - 0x3f000000u));
  }
  bits += 0xfffu + (bits >> 13 & 1);
  return static_cast<uint16_t>(sign | (bits - 0x38000000u) >> 13);
}
