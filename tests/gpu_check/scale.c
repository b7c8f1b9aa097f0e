#include "tests/gpu_check/gpu_check.h"

/* bge-m3: XLM-RoBERTa-large for texts up to 8,192 tokens. */
#define SHAPE_BGE_M3                                                                                \
  {                                                                                                 \
    .layers = 24, .hidden = 1024, .heads = 16, .head_size = 64, .ffn = 4096, .vocabulary = 250002,  \
    .positions = 8194, .first_position = 2, .layer_norm_eps = 1e-5f, .pooling = {1, {POOLING_CLS}}, \
    .pool_prompt = true, .max_tokens = 8192, .widest = 1024                                         \
  }

static const int32_t long_texts[] = {8192, 1, 2, 31, 64, 65, 17, 2048, 63, 129, 512, 511, 513, 4095, 0};

static const int32_t lengths_full[] = {20, 68, 256, 512, 2048, 8192, 0};
static const int32_t batches_full[] = {32768, 16384, 65536, 0};

const struct check_scale scale_full = {.shape = SHAPE_BGE_M3,
                                       .batch_tokens = 32768,
                                       .lengths = lengths_full,
                                       .batches = batches_full,
                                       .slots_least = 1,
                                       .fewer_heads = 1,
                                       .short_texts = 96,
                                       .long_texts = long_texts,
                                       .square = 8192,
                                       .warm_up = 2,
                                       .sustained = 1,
                                       .search_passages = 1 << 18,
                                       .search_queries = 1000};

static const int32_t lengths_quick[] = {68, 0};
static const int32_t batches_quick[] = {32768, 0};

const struct check_scale scale_quick = {.shape = SHAPE_BGE_M3,
                                        .batch_tokens = 32768,
                                        .lengths = lengths_quick,
                                        .batches = batches_quick,
                                        .slots_least = 2,
                                        .fewer_heads = 1,
                                        .short_texts = 96,
                                        .long_texts = long_texts,
                                        .square = 8192,
                                        .warm_up = 1,
                                        .sustained = 0.5,
                                        .search_passages = 1 << 16,
                                        .search_queries = 200};

static const int32_t long_texts_small[] = {1, 2, 31, 64, 65, 17, 513, 63, 129, 0};
static const int32_t lengths_small[] = {20, 68, 0};
static const int32_t batches_small[] = {512, 256, 0};

const struct check_scale scale_small = {.shape = {.layers = 2,
                                                  .hidden = 64,
                                                  .heads = 2,
                                                  .head_size = 32,
                                                  .ffn = 128,
                                                  .vocabulary = 500,
                                                  .positions = 514,
                                                  .first_position = 2,
                                                  .layer_norm_eps = 1e-5f,
                                                  .pooling = {1, {POOLING_CLS}},
                                                  .pool_prompt = true,
                                                  .widest = 64,
                                                  .max_tokens = 512},
                                        .batch_tokens = 512,
                                        .lengths = lengths_small,
                                        .batches = batches_small,
                                        .slots_least = 1,
                                        .fewer_heads = 4,
                                        .short_texts = 4,
                                        .long_texts = long_texts_small,
                                        .square = 64,
                                        .warm_up = 0.01,
                                        .sustained = 0.02,
                                        .search_passages = 3000,
                                        .search_queries = 20};
