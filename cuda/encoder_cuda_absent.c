/* Replaces the cuda folder in a build without CUDA. */
#include "cuda/cards.h"
#include "cuda/encoder_cuda.h"
#include "cuda/top_k_card.h"

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

bool cuda_cards_expected(void) {
  return false;
}

bool cuda_card_check(const struct cuda_card *card, struct error *error) {
  (void)card;
  return absent(error);
}

bool cuda_card_find(int32_t device, struct cuda_card *card, struct error *error) {
  (void)device;
  (void)card;
  return absent(error);
}

bool cuda_runtime_version(char version[16]) {
  version[0] = '\0';
  return false;
}

bool cuda_products_library(char version[32], struct error *error) {
  version[0] = '\0';
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

size_t encoder_cuda_weights_bytes(const struct encoder *encoder) {
  (void)encoder;
  return 0;
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

char *encoder_cuda_tune(struct encoder *encoder, struct error *error) {
  (void)encoder;
  absent(error);
  return NULL;
}

bool encoder_cuda_use_tuning(struct encoder *encoder, const char *text, struct error *error) {
  (void)encoder;
  (void)text;
  return absent(error);
}

struct top_k_card *top_k_card_open(const struct top_k_card_options *options, struct error *error) {
  (void)options;
  absent(error);
  return NULL;
}

/* No card can be opened, so no caller has a card for the functions below. */
void top_k_card_close(struct top_k_card *card) {
  (void)card;
}

bool top_k_card_send(struct top_k_card *card, int32_t chunk, int32_t rows, struct error *error) {
  (void)card;
  (void)chunk;
  (void)rows;
  return absent(error);
}

bool top_k_card_run(struct top_k_card *card, int32_t chunk, int32_t rows,
                    const struct top_k_card_lists *lists, struct error *error) {
  (void)card;
  (void)chunk;
  (void)rows;
  (void)lists;
  return absent(error);
}
