/* What the commands that compute take alike, and which encoder a run uses if the user leaves it open. */
#pragma once

#include "host/job/card_deal.h"
#include "host/model/encoder.h"
#include "host/ranks/ranks.h"
#include "io/run/manifest.h"

enum device { DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_NULL };

/* What embed, eval and search compute with. Zero means: the default, or what the run in OUT already has. */
struct compute_options {
  enum device device;
  int32_t card; /* of DEVICE_CUDA: K + 1 for cuda:K; 0: any that no other rank has */
  enum precision precision;
  int32_t threads; /* 0: the processors that this process may use */
  int32_t batch_tokens;
  int32_t max_tokens;      /* 0: the model's own */
  int64_t null_rate;       /* tokens per second of each slot of the null encoder; 0: memory speed */
  const char *gemm_tuning; /* file of the products' algorithms (host/job/card_tuning.h), or NULL */
};

struct device_choice {
  enum device device;      /* never DEVICE_AUTO */
  int32_t card;            /* of DEVICE_CUDA */
  struct card_share share; /* of DEVICE_CUDA: the ranks of this machine that have one too */
  const char *gemm_tuning; /* as the options name it */
};

/* The device that a run was computed with, where its manifest (or NULL) names one; otherwise false, and
 * *device stays as it is. */
bool device_of_manifest(const struct manifest *manifest, enum device *device);

/* Auto is what the run in OUT was computed with, where `manifest` (or NULL) tells; else a CUDA card, where
 * there is a usable one and the precision that is asked for is one of its; else the CPU.
 *
 * Collective: each rank gets a card of its own, the first usable one that it sees and no rank before it has
 * taken, or the one that its user named. ERROR_USAGE on all ranks where a machine has fewer cards than ranks
 * that want one. `ranks` NULL: this process has the cards for itself. */
bool device_choose(const struct compute_options *options, const struct manifest *manifest,
                   struct ranks *ranks, struct device_choice *choice, struct error *error);

/* Opens it. Where the choice was free and the cuda encoder cannot compute the model, the CPU takes its place
 * and *why is the sentence that says so; on rank 0 *why may also say that the weights did not go from card to
 * card; otherwise it is empty. Collective, as above: one rank's error is that of all. */
struct encoder *device_open_encoder(const struct device_choice *choice, bool free_choice, struct ranks *ranks,
                                    const struct model *model, const struct encoder_options *options,
                                    struct error *why, struct error *error);
