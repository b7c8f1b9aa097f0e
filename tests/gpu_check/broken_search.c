/* What a search on a card must not do: go on without the card. */
#include "cuda/top_k_card.h"

struct top_k_card *top_k_card_open(const struct top_k_card_options *options, struct error *error) {
  (void)options;
  error_set(error, ERROR_UNSUPPORTED, "a query of which nothing is known");
  return NULL;
}
