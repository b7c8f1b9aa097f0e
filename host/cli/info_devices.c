#include <stdio.h>

#include "cuda/card_group.h"
#include "cuda/cards.h"
#include "host/cli/human.h"
#include "host/cli/info.h"
#include "host/cli/say.h"

struct devices {
  struct cuda_card cards[CUDA_CARDS_MAX];
  int32_t count;
  struct error none; /* reason, if there is no card */
  /* Each library's version, or the reason why the library is missing. */
  char products[32], group[32];
  struct error no_products, no_group;
};

static void devices_find(struct devices *devices) {
  if (!cuda_cards_list(devices->cards, &devices->count, &devices->none)) {
    devices->count = 0;
    return;
  }
  if (!cuda_products_library(devices->products, &devices->no_products)) *devices->products = '\0';
  if (!card_group_library(devices->group, &devices->no_group)) *devices->group = '\0';
}

static void card_print(const struct cuda_card *card) {
  char memory[32];
  if (*card->fault) {
    say_line(stdout, "cuda %-6d cannot be used: %s", card->device, card->fault);
    return;
  }
  human_bytes(card->memory, memory);
  printf("cuda %-6d %s, compute capability %d.%d, %d multiprocessors, %s%s\n", card->device, card->name,
         card->major, card->minor, card->multiprocessors, memory, card->usable ? "" : "; too old for nina");
}

static void devices_print(const struct devices *devices) {
  if (devices->count == 0) {
    say_line(stdout, "cuda        none: %s", devices->none.message);
    return;
  }
  for (int32_t i = 0; i < devices->count; i++) card_print(&devices->cards[i]);
  say_line(stdout, "cublaslt    %s", *devices->products ? devices->products : devices->no_products.message);
  if (*devices->group)
    printf("nccl        %s\n", devices->group);
  else
    say_line(stdout, "nccl        none, so each rank of a job reads the weights for itself: %s",
             devices->no_group.message);
}

/* For each library: its version ("nccl"), or the reason why the library is missing ("no_nccl"). */
static json_t *devices_json(const struct devices *devices) {
  json_t *cards = json_array();
  for (int32_t i = 0; i < devices->count; i++) {
    const struct cuda_card *card = &devices->cards[i];
    char capability[32];
    snprintf(capability, sizeof capability, "%d.%d", card->major, card->minor);
    json_array_append_new(
        cards, json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:I, s:b, s:s*}", "device", card->device, "name",
                         card->name, "uuid", card->uuid, "bus", card->bus, "compute_capability", capability,
                         "multiprocessors", card->multiprocessors, "memory", (json_int_t)card->memory,
                         "usable", card->usable, "fault", *card->fault ? card->fault : NULL));
  }
  if (devices->count == 0) return json_pack("{s:o, s:s}", "cards", cards, "none", devices->none.message);
  return json_pack("{s:o, s:s*, s:s*, s:s*, s:s*}", "cards", cards, "cublaslt",
                   *devices->products ? devices->products : NULL, "no_cublaslt",
                   *devices->products ? NULL : devices->no_products.message, "nccl",
                   *devices->group ? devices->group : NULL, "no_nccl",
                   *devices->group ? NULL : devices->no_group.message);
}

bool info_devices(bool json, struct error *error) {
  struct devices devices = {0};
  devices_find(&devices);
  if (json) return info_print_json(devices_json(&devices), error);
  devices_print(&devices);
  return true;
}
