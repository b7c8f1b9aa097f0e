/* The options that all computing commands share, and the choice of an encoder if the user names none. */
#pragma once

#include "host/job/card_deal.h"
#include "host/model/encoder.h"
#include "host/model/tokenizer.h"
#include "host/ranks/ranks.h"
#include "io/run/manifest.h"

enum device { DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_NULL };

/* Compute options for embed, eval and search. Zero: the default, or the value that the run in OUT already
 * has. */
struct compute_options {
  enum device device;
  int32_t card; /* for DEVICE_CUDA: K + 1 for cuda:K; 0: any free card */
  enum precision precision;
  int32_t threads; /* 0: as many as this process may use */
  int32_t batch_tokens;
  int32_t max_tokens; /* 0: the model's own */
  enum tokenizer_engine tokenizer;
  int64_t null_rate;       /* tokens per second for each slot of the null encoder; 0: memory speed */
  const char *gemm_tuning; /* file with matrix product algorithms (host/job/card_tuning.h), or NULL */
};

struct device_choice {
  enum device device;      /* never DEVICE_AUTO */
  int32_t card;            /* for DEVICE_CUDA */
  struct card_share share; /* for DEVICE_CUDA: place among this machine's ranks with a card */
  const char *gemm_tuning; /* from the options */
  struct error why;        /* why no card was taken, if a free choice passed over cards that do not work */
};

/* Gets the device that computed a run. If `manifest` is NULL or names no device, returns false and leaves
 * *device unchanged. */
bool device_of_manifest(const struct manifest *manifest, enum device *device);

/* DEVICE_AUTO becomes the device of the run in OUT, if `manifest` (or NULL) names one. Otherwise it becomes a
 * CUDA card, if one is usable and supports the requested precision, or else the CPU; then choice->why says
 * what is wrong with this machine's cards, if it has any.
 *
 * Collective: each rank gets its own card, either the one that its user named or its first usable card that
 * is still free. If a machine has fewer cards than ranks that want one, all ranks get ERROR_USAGE. `ranks`
 * NULL: this process has all cards to itself. */
bool device_choose(const struct compute_options *options, const struct manifest *manifest,
                   struct ranks *ranks, struct device_choice *choice, struct error *error);

/* Opens the chosen encoder; `tokenizer` is the model's. If the choice was free and the CUDA encoder cannot
 * compute the model, opens the CPU encoder and explains the change in *why. On rank 0, *why may also say that
 * the weights were not sent from card to card. Otherwise *why is empty. Collective: an error on one rank
 * fails all ranks. */
struct encoder *device_open_encoder(const struct device_choice *choice, bool free_choice, struct ranks *ranks,
                                    const struct model *model, const struct tokenizer *tokenizer,
                                    const struct encoder_options *options, struct error *why,
                                    struct error *error);
