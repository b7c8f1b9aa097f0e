#include "host/cpu/encoder_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/int8_kernels.h"
#include "host/cpu/slot.h"
#include "host/model/widths.h"
#include "io/processors.h"

#define BATCH_TOKENS 1024 /* enough for full speed; more changes nothing */
/* Default block size: the most lines that stay under this many operations, with each line counted as one
 * token. So multilingual-e5-small (43 million operations a token) gets 2,048 lines, and a model with bge-m3's
 * shape (604 million) gets 256. At about a hundred tokens a line, two cores commit a block in seconds to a
 * minute. */
#define BLOCK_OPERATIONS ((int64_t)1 << 37)
#define BLOCK_LINES_MIN 256
#define BLOCK_LINES_MAX 2048
#define BLOCK_BYTES_A_LINE 512

struct cpu_slot {
  struct slot *slot;
  struct batch batch;
  bool submitted;
  int32_t blamed; /* sequence in the last batch whose row could not be stored, or -1 */
};

struct encoder_cpu {
  struct encoder encoder; /* must be first: the pipeline's pointer is cast to this struct */
  const struct model *model;
  struct forward forward;
  int32_t width_count, widths[WIDTHS_MAX];
  char int8_plan[17];    /* as in struct compute_class */
  struct cpu_slot *slot; /* [encoder.info.slots] */
};

static struct encoder_cpu *cpu_of(struct encoder *encoder) {
  return (struct encoder_cpu *)encoder;
}

static bool encoder_cpu_submit(struct encoder *encoder, int32_t slot, const struct batch *batch,
                               struct error *error) {
  struct encoder_cpu *cpu = cpu_of(encoder);
  if (!batch_check(batch, cpu->forward.shape.vocabulary, encoder->info.batch_tokens, cpu->forward.max_tokens,
                   error))
    return false;
  cpu->slot[slot].batch = *batch;
  cpu->slot[slot].blamed = -1;
  cpu->slot[slot].submitted = true;
  return true;
}

struct rows_out {
  const struct encoder_cpu *cpu;
  struct cpu_slot *slot;
  uint16_t *const *rows;
  enum row_verdict verdict; /* verdict on slot->blamed */
};

static bool row_write(void *context, int32_t sequence, const float *pooled) {
  struct rows_out *out = context;
  const struct batch *batch = &out->slot->batch;
  const int32_t *widths = out->cpu->widths, last = out->cpu->width_count - 1;
  uint16_t *widest = out->rows[0] + (int64_t)sequence * widths[0];
  width_normalise(pooled, widths[0], widest);
  for (int32_t w = 1; w <= last; w++)
    width_derive(widest, widths[w], out->rows[w] + (int64_t)sequence * widths[w]);
  out->verdict =
      row_judge(widest, widths[0], out->rows[last] + (int64_t)sequence * widths[last], widths[last]);
  if (row_passes(out->verdict, batch->offsets[sequence + 1] - batch->offsets[sequence], batch->prompt_tokens))
    return true;
  out->slot->blamed = sequence;
  return false;
}

static bool encoder_cpu_wait(struct encoder *encoder, int32_t slot, uint16_t *const *rows,
                             struct error *error) {
  struct encoder_cpu *cpu = cpu_of(encoder);
  struct cpu_slot *this = &cpu->slot[slot];
  struct rows_out out = {cpu, this, rows, ROW_FINE};
  if (!this->submitted)
    return error_set(error, ERROR_USAGE, "slot %d has no batch to wait for: submit comes first", slot);
  this->submitted = false;
  const bool done = slot_run(this->slot, &this->batch, row_write, &out, error);
  if (!model_stands(cpu->model, error)) { /* the word table is read from the file */
    this->blamed = -1;
    return false;
  }
  if (done || this->blamed < 0) return done;
  const int32_t columns = cpu->widths[out.verdict == ROW_ZERO ? cpu->width_count - 1 : 0];
  return slot_blame(this->slot, &this->batch, this->blamed, out.verdict, columns, row_write, &out, error);
}

static int32_t encoder_cpu_blamed(const struct encoder *encoder, int32_t slot) {
  return ((const struct encoder_cpu *)encoder)->slot[slot].blamed;
}

static void encoder_cpu_compute_class(const struct encoder *encoder, struct compute_class *class) {
  const struct encoder_cpu *cpu = (const struct encoder_cpu *)encoder;
  *class = (struct compute_class){.encoder = "cpu", .batch_tokens = encoder->info.batch_tokens};
  snprintf(class->precision, sizeof class->precision, "%s", precision_name(encoder->info.precision));
  snprintf(class->isa, sizeof class->isa, "%s", isa_name(cpu->forward.kernels->isa));
  memcpy(class->int8_plan, cpu->int8_plan, sizeof class->int8_plan);
  gemm_library_version(class->onednn);
  snprintf(class->onednn_isa, sizeof class->onednn_isa, "%s", gemm_library_isa());
}

static void encoder_cpu_times(const struct encoder *encoder, struct encoder_times *times) {
  const struct encoder_cpu *cpu = (const struct encoder_cpu *)encoder;
  for (int32_t s = 0; s < encoder->info.slots; s++) encoder_times_add(times, slot_times(cpu->slot[s].slot));
}

static void encoder_cpu_close(struct encoder *encoder) {
  struct encoder_cpu *cpu = cpu_of(encoder);
  for (int32_t s = 0; cpu->slot && s < encoder->info.slots; s++) slot_close(cpu->slot[s].slot);
  free(cpu->slot);
  weights_close(&cpu->forward.weights);
  free(cpu);
}

static const struct encoder_vtable encoder_cpu_vtable = {
    .submit = encoder_cpu_submit,
    .wait = encoder_cpu_wait,
    .compute_class = encoder_cpu_compute_class,
    .close = encoder_cpu_close,
    .blamed = encoder_cpu_blamed,
    .times = encoder_cpu_times,
};

static bool options_check(const struct model_shape *shape, const struct encoder_options *options,
                          struct error *error) {
  if (options->precision == PRECISION_FP16)
    return error_set(
        error, ERROR_USAGE,
        "the cpu encoder computes in fp32, bf16 or int8, not fp16: pass auto, fp32, bf16 or int8");
  if (options->precision == PRECISION_INT8 && !encoder_cpu_check_int8(shape, error)) return false;
  if (options->precision == PRECISION_INT8 && !options->int8_plan)
    return error_set(error, ERROR_USAGE, "int8 has no plan for this model: int8_calibrate comes first");
  return encoder_options_check(options, shape, error);
}

bool encoder_cpu_check_int8(const struct model_shape *shape, struct error *error) {
  const int32_t most = INT32_MAX / ((BYTE_ZERO + BYTE_MAX) * BYTE_MAX);
  const int32_t terms = shape->ffn > shape->hidden ? shape->ffn : shape->hidden;
  if (terms > most)
    return error_set(error, ERROR_UNSUPPORTED,
                     "int8 adds up at most %d products, and this model's layers have %d: use fp32 or bf16",
                     most, terms);
  return gemm_library_int8() ||
         error_set(error, ERROR_DEVICE,
                   "int8 needs a processor with VNNI, and this one has none (oneDNN uses %s): use fp32",
                   gemm_library_isa());
}

int64_t encoder_cpu_block_lines(const struct model_shape *shape) {
  const int64_t hidden = shape->hidden, weights = 4 * hidden * hidden + 2 * hidden * shape->ffn;
  const int64_t operations = 2 * weights * shape->layers; /* a multiplication and an addition per weight */
  int64_t lines = BLOCK_LINES_MAX;
  while (lines > BLOCK_LINES_MIN && lines > BLOCK_OPERATIONS / operations) lines /= 2;
  return lines;
}

static bool bf16_is_fast(enum isa isa) {
  return isa == ISA_AVX512_BF16 && gemm_library_bf16();
}

static void info_resolve(struct encoder_cpu *cpu, const struct encoder_options *options, enum isa isa) {
  struct encoder_info *info = &cpu->encoder.info;
  info->name = "cpu";
  info->precision = options->precision;
  if (info->precision == PRECISION_AUTO)
    info->precision = bf16_is_fast(isa) ? PRECISION_BF16 : PRECISION_FP32;
  info->slots = options->slots ? options->slots : processors_allowed();
  info->batch_tokens = options->batch_tokens ? options->batch_tokens : BATCH_TOKENS;
  info->block_lines = encoder_cpu_block_lines(&cpu->forward.shape);
  info->block_bytes = info->block_lines * BLOCK_BYTES_A_LINE;
  snprintf(info->description, sizeof info->description, "cpu, %s (%s), %d thread%s",
           precision_name(info->precision), isa_name(cpu->forward.kernels->isa), info->slots,
           info->slots == 1 ? "" : "s");
}

static void int8_resolve(struct encoder_cpu *cpu, const struct int8_plan *plan) {
  struct encoder_info *info = &cpu->encoder.info;
  const int32_t widest = int8_plan_widest(plan);
  cpu->forward.activations = bf16_is_fast(cpu->forward.kernels->isa) ? PRECISION_BF16 : PRECISION_FP32;
  int8_plan_hash(plan, cpu->int8_plan);
  snprintf(info->remark, sizeof info->remark,
           "int8: the widest channel before a product is %.3g times the median one (layer %d)",
           (double)int8_plan_spread(plan, widest), widest + 1);
}

struct encoder *encoder_cpu_open_isa(const struct model *model, const struct encoder_options *options,
                                     enum isa isa, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  if (!options_check(shape, options, error)) return NULL;
  struct encoder_cpu *cpu = calloc(1, sizeof *cpu);
  if (!cpu) {
    error_set_memory(error, sizeof *cpu, "an encoder");
    return NULL;
  }
  cpu->encoder.vtable = &encoder_cpu_vtable;
  cpu->model = model;
  cpu->width_count = options->width_count;
  memcpy(cpu->widths, options->widths, sizeof cpu->widths);
  cpu->forward.shape = *shape;
  cpu->forward.kernels = kernels_for(isa, shape->hidden, shape->head_size, shape->ffn);
  cpu->forward.max_tokens = options->max_tokens;
  cpu->forward.timed = options->timed;
  info_resolve(cpu, options, isa);
  cpu->forward.precision = cpu->forward.activations = cpu->encoder.info.precision;
  if (cpu->forward.precision == PRECISION_INT8) int8_resolve(cpu, options->int8_plan);
  const struct weights_options weights = {
      .precision = cpu->forward.precision, .max_rows = FORWARD_ROWS, .plan = options->int8_plan};
  if (!weights_open(&cpu->forward.weights, model, &weights, error)) goto failed;
  cpu->slot = calloc((size_t)cpu->encoder.info.slots, sizeof *cpu->slot);
  if (!cpu->slot) {
    error_set_memory(error, (size_t)cpu->encoder.info.slots * sizeof *cpu->slot, "slots");
    goto failed;
  }
  for (int32_t s = 0; s < cpu->encoder.info.slots; s++)
    if (!(cpu->slot[s].slot = slot_open(&cpu->forward, error))) goto failed;
  return &cpu->encoder;
failed:
  encoder_cpu_close(&cpu->encoder);
  return NULL;
}

struct encoder *encoder_cpu_open(const struct model *model, const struct encoder_options *options,
                                 struct error *error) {
  return encoder_cpu_open_isa(model, options, isa_detect(), error);
}
