/* Rows for struct compute_options (host/job/device.h). Each command that computes has these rows in its
 * option table. To add an option to all these commands, add one row to COMPUTE_ROWS.
 *
 *   at              place of struct compute_options in the command's options, in bytes
 *   device_help,    differ for each command, because the commands use a device for different
 *   precision_help  things */
#pragma once

#include <stddef.h>

#include "host/cli/options.h"
#include "host/job/device.h"

// clang-format off
#define COMPUTE_ROWS(at, device_help, precision_help)                                                         \
  {.name = "device", .type = OPTION_DEVICE, .offset = (at), .argument = "NAME", .help = (device_help)},       \
  {.name = "precision", .type = OPTION_CHOICE, .offset = (at) + offsetof(struct compute_options, precision),  \
   .argument = "NAME", .choices = option_precisions, .help = (precision_help)},                               \
  {.name = "threads", .type = OPTION_INT, .offset = (at) + offsetof(struct compute_options, threads),         \
   .argument = "N", .most = OPTION_THREADS_MAX, .help = "worker threads (default: the processors it may use)"}

#define PRECISION_HELP                     \
  "auto; cpu: fp32, bf16 or int8; cuda: fp16\n" \
  "(auto: bf16 where the CPU has it)"

#define BATCH_TOKENS_ROW(at)                                                                                  \
  {.name = "batch-tokens", .type = OPTION_INT, .offset = (at) + offsetof(struct compute_options, batch_tokens), \
   .argument = "N", .help = "tokens of a packed batch (default: suits the device)"}

/* `texts` names what is cut. */
#define MAX_TOKENS_ROW(at, texts)                                                                             \
  {.name = "max-tokens", .type = OPTION_INT, .offset = (at) + offsetof(struct compute_options, max_tokens),   \
   .argument = "N", .help = "cut " texts " at N tokens (default: the model's limit)"}

#define TOKENIZER_ROW(at)                                                                                     \
  {.name = "tokenizer", .type = OPTION_CHOICE, .offset = (at) + offsetof(struct compute_options, tokenizer),  \
   .argument = "NAME", .choices = option_tokenizers, .help = OPTION_TOKENIZER_HELP ";\n"          \
                                                             "auto follows the run that an output folder holds"}

#define GEMM_TUNING_ROW(at)                                                                                   \
  {.name = "gemm-tuning", .type = OPTION_STRING, .offset = (at) + offsetof(struct compute_options, gemm_tuning), \
   .argument = "FILE", .help = "cuda: algorithms of matrix products by the clock; if\n"                       \
                               "FILE is not there, they are timed and it is written"}

#define NULL_RATE_ROW(at)                                                                                     \
  {.name = "null-rate", .type = OPTION_SIZE, .offset = (at) + offsetof(struct compute_options, null_rate),    \
   .argument = "N", .help = "device null: tokens/s of each thread (default: no limit)"}
// clang-format on
