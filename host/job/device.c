#include "host/job/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cards.h"
#include "cuda/encoder_cuda.h"
#include "host/cpu/encoder_cpu.h"
#include "host/cpu/encoder_null.h"
#include "host/job/card_tuning.h"
#include "host/job/card_weights.h"
#include "host/job/int8_texts.h"

/* The cards that this process may compute on. */
struct card_list {
  int32_t count;
  struct cuda_card card[CUDA_CARDS_MAX];
};

/* Finds the usable cards; if `options` names a card, only this one. If none is usable, *why says what is
 * wrong with the driver or the first card; it stays empty on a machine without a card. */
static void cards_find(const struct compute_options *options, struct card_list *list, struct error *why) {
  struct cuda_card cards[CUDA_CARDS_MAX];
  int32_t count;
  list->count = 0;
  *why = (struct error){0};
  if (!cuda_cards_list(cards, &count, why)) {
    if (!cuda_cards_expected()) *why = (struct error){0};
    return;
  }
  for (int32_t i = 0; i < count; i++)
    if (cards[i].usable && (options->card == 0 || options->card == cards[i].device + 1))
      list->card[list->count++] = cards[i];
  if (list->count == 0) cuda_card_check(&cards[0], why);
}

bool device_of_manifest(const struct manifest *manifest, enum device *device) {
  if (!manifest) return false;
  const struct compute_class used = compute_classes_shared(&manifest->identity.compute);
  if (strcmp(used.encoder, "cpu") != 0 && strcmp(used.encoder, "cuda") != 0) return false;
  *device = strcmp(used.encoder, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
  return true;
}

/* Chooses as if this process were alone. `list` gets the cards that the process may take, the chosen one
 * first. If the list is empty, the encoder explains later what is wrong with the requested card. */
static void choose_alone(const struct compute_options *options, const struct manifest *manifest,
                         struct device_choice *choice, struct card_list *list) {
  const bool precision_fits = options->precision == PRECISION_AUTO || options->precision == PRECISION_FP16;
  struct error why = {0};
  *choice = (struct device_choice){.device = options->device,
                                   .card = options->card > 0 ? options->card - 1 : 0,
                                   .gemm_tuning = options->gemm_tuning};
  list->count = 0;
  const bool settled = choice->device != DEVICE_AUTO || device_of_manifest(manifest, &choice->device);
  if (settled ? choice->device == DEVICE_CUDA : precision_fits) cards_find(options, list, &why);
  if (!settled) {
    choice->device = list->count > 0 ? DEVICE_CUDA : DEVICE_CPU;
    choice->why = why;
    if (why.code) error_prefix(&choice->why, "computing on the CPU");
  }
  if (list->count > 0) choice->card = list->card[0].device;
}

/* Sends this rank's list of cards to the others, and takes the card from the deal. */
static bool choose_together(struct ranks *ranks, const struct card_list *list, struct device_choice *choice,
                            struct error *error) {
  const int32_t size = ranks_size(ranks), rank = ranks_rank(ranks);
  char text[CUDA_CARDS_MAX * sizeof list->card->uuid] = "", **texts = NULL;
  struct card_seeker *seekers = calloc((size_t)size, sizeof *seekers);
  struct card_share *shares = calloc((size_t)size, sizeof *shares);
  bool ok = seekers && shares;
  size_t used = 0;
  if (!ok) error_set_memory(error, (size_t)size * sizeof *seekers, "the ranks' cards");
  for (int32_t i = 0; i < list->count; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", list->card[i].uuid);
  ok = ranks_agree(ranks, ok, error) && ranks_gather(ranks, text, &texts, error);
  if (!ok) goto out;
  for (int32_t i = 0; i < size; i++) {
    const struct ranks_place *place = ranks_place_of(ranks, i);
    seekers[i] = (struct card_seeker){.cards = texts[i], .host = place->host, .machine = place->machine};
  }
  ok = ranks_agree(ranks, cards_deal(seekers, size, shares, error), error);
  if (!ok) goto out;
  choice->share = shares[rank];
  if (list->count > 0) choice->card = list->card[shares[rank].card].device;
out:
  ranks_texts_free(ranks, texts);
  free(shares);
  free(seekers);
  return ok;
}

bool device_choose(const struct compute_options *options, const struct manifest *manifest,
                   struct ranks *ranks, struct device_choice *choice, struct error *error) {
  struct card_list list;
  choose_alone(options, manifest, choice, &list);
  return !ranks || choose_together(ranks, &list, choice, error);
}

static struct encoder *open_alone(enum device device, int32_t card, const struct model *model,
                                  const struct encoder_options *options, struct error *error) {
  if (device == DEVICE_NULL) return encoder_null_open(options, error);
  if (device == DEVICE_CPU) return encoder_cpu_open(model, options, error);
  return encoder_cuda_open_empty(model, options, card, error);
}

static bool agree(struct ranks *ranks, bool ok, struct error *error) {
  return ranks ? ranks_agree(ranks, ok, error) : ok;
}

static bool plan_make(const struct model *model, const struct tokenizer *tokenizer, struct int8_plan **plan,
                      struct error *error) {
  *plan =
      encoder_cpu_check_int8(&model->config.shape, error) ? int8_texts_plan(model, tokenizer, error) : NULL;
  return *plan != NULL;
}

/* Rank 0 makes int8's plan for all ranks, if rank 0 computes in int8. Collective. */
static bool plan_bring(struct ranks *ranks, bool wanted, const struct model *model,
                       const struct tokenizer *tokenizer, struct int8_plan **plan, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  size_t size = int8_plan_size(shape->layers, shape->hidden);
  bool shared = wanted; /* what is collective must be so on every rank */
  if (ranks) ranks_share_into(ranks, &shared, sizeof shared);
  const bool first = !shared || !ranks || ranks_rank(ranks) == 0;
  if (!agree(ranks, !wanted || !first || plan_make(model, tokenizer, plan, error), error)) return false;
  if (!shared || !ranks) return true;
  void *bytes = *plan;
  const bool ok = ranks_share(ranks, &bytes, &size, error);
  *plan = bytes;
  return ok && agree(ranks,
                     ((*plan)->layers == shape->layers && (*plan)->hidden == shape->hidden) ||
                         error_set(error, ERROR_CONFLICT,
                                   "rank 0's model has another shape than this rank's: --model must be the "
                                   "same folder, with the same files, on every host"),
                     error);
}

static struct encoder *open_chosen(const struct device_choice *choice, bool free_choice, struct ranks *ranks,
                                   const struct model *model, const struct encoder_options *options,
                                   struct error *why, struct error *error) {
  const bool cuda = choice->device == DEVICE_CUDA;
  struct encoder *encoder = open_alone(choice->device, choice->card, model, options, error);
  bool ok = agree(ranks, encoder != NULL, error) &&
            card_weights_bring(ranks, choice, cuda ? encoder : NULL, why, error);
  if (!ok && error->code == ERROR_UNSUPPORTED) {
    const struct error first = *error; /* the same on all ranks, and already begins with a rank's name */
    *error = (struct error){0};
    if (cuda) {
      encoder_close(encoder);
      *why = first;
      error_prefix(why, "computing on the CPU");
      encoder = free_choice ? open_alone(DEVICE_CPU, 0, model, options, error) : NULL;
    }
    ok = agree(ranks, encoder != NULL, error);
    if (!ok && !error->code) *error = first;
  }
  const bool on_card = ok && strcmp(encoder->info.name, "cuda") == 0;
  if (ok && card_tuning_bring(ranks, choice->gemm_tuning, on_card ? encoder : NULL, error) &&
      agree(ranks, model_stands(model, error), error)) /* a card has its copy of the weights by now */
    return encoder;
  encoder_close(encoder);
  return NULL;
}

struct encoder *device_open_encoder(const struct device_choice *choice, bool free_choice, struct ranks *ranks,
                                    const struct model *model, const struct tokenizer *tokenizer,
                                    const struct encoder_options *options, struct error *why,
                                    struct error *error) {
  const bool int8 = choice->device == DEVICE_CPU && options->precision == PRECISION_INT8;
  struct int8_plan *plan = NULL;
  struct encoder_options planned = *options;
  struct encoder *encoder = NULL;
  *why = (struct error){0};
  if (plan_bring(ranks, int8, model, tokenizer, &plan, error)) {
    planned.int8_plan = plan;
    encoder = open_chosen(choice, free_choice, ranks, model, &planned, why, error);
  }
  free(plan);
  return encoder;
}
