#include "host/job/device.h"

#include <string.h>

#include "cuda/cards.h"
#include "cuda/encoder_cuda.h"
#include "host/cpu/encoder_cpu.h"
#include "host/cpu/encoder_null.h"

/* The first usable card, or -1. */
static int32_t card_usable(void) {
  struct cuda_card cards[CUDA_CARDS_MAX];
  struct error unused;
  int32_t count;
  if (!cuda_cards_list(cards, &count, &unused)) return -1;
  for (int32_t i = 0; i < count; i++)
    if (cards[i].usable) return cards[i].device;
  return -1;
}

static bool device_of_manifest(const json_t *manifest, enum device *device) {
  const char *used =
      json_string_value(json_object_get(json_object_get(manifest, "compute_class"), "encoder"));
  if (!used || (strcmp(used, "cpu") != 0 && strcmp(used, "cuda") != 0)) return false;
  *device = strcmp(used, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
  return true;
}

struct device_choice device_choose(const struct embed_options *options, const json_t *manifest) {
  const bool precision_fits = options->precision == PRECISION_AUTO || options->precision == PRECISION_FP16;
  struct device_choice choice = {options->device, 0};
  const bool settled = choice.device != DEVICE_AUTO || device_of_manifest(manifest, &choice.device);
  if (settled ? choice.device != DEVICE_CUDA : !precision_fits) {
    if (!settled) choice.device = DEVICE_CPU;
    return choice;
  }
  const int32_t card = card_usable();
  if (!settled) choice.device = card >= 0 ? DEVICE_CUDA : DEVICE_CPU;
  if (card >= 0) choice.card = card; /* otherwise the encoder says what is wrong with card 0 */
  return choice;
}

struct encoder *device_open_encoder(struct device_choice choice, bool free_choice, const struct model *model,
                                    const struct encoder_options *options, struct error *why,
                                    struct error *error) {
  *why = (struct error){0};
  if (choice.device == DEVICE_NULL) return encoder_null_open(options, error);
  if (choice.device == DEVICE_CPU) return encoder_cpu_open(model, options, error);
  struct encoder *encoder = encoder_cuda_open(model, options, choice.card, error);
  if (encoder || !free_choice || error->code != ERROR_UNSUPPORTED) return encoder;
  *why = *error;
  return encoder_cpu_open(model, options, error);
}
