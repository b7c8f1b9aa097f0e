/* What stands in for this floor in a build without CUDA. */
#include "cuda/cards.h"
#include "cuda/encoder_cuda.h"

static bool absent(struct error *error) {
  return error_set(
      error, ERROR_DEVICE,
      "this nina was built without CUDA: build it where nvcc is installed (cmake -DNINA_CUDA=ON)");
}

bool cuda_cards_list(struct cuda_card cards[CUDA_CARDS_MAX], int32_t *count, struct error *error) {
  (void)cards;
  *count = 0;
  return absent(error);
}

bool cuda_card_find(int32_t device, struct cuda_card *card, struct error *error) {
  (void)device;
  (void)card;
  return absent(error);
}

struct encoder *encoder_cuda_open_empty(const struct model *model, const struct encoder_options *options,
                                        int32_t device, struct error *error) {
  return encoder_cuda_open(model, options, device, error);
}

bool encoder_cuda_read_weights(struct encoder *encoder, struct error *error) {
  (void)encoder;
  return absent(error);
}

bool encoder_cuda_share_weights(struct encoder *encoder, struct card_group *group, struct error *error) {
  (void)encoder;
  (void)group;
  return absent(error);
}

struct encoder *encoder_cuda_open(const struct model *model, const struct encoder_options *options,
                                  int32_t device, struct error *error) {
  (void)model;
  (void)options;
  (void)device;
  absent(error);
  return NULL;
}
