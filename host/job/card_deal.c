#include "host/job/card_deal.h"

#include <stdlib.h>
#include <string.h>

/* A name inside a list of names. */
struct name {
  const char *start;
  size_t length;
};

/* Takes the first name from *list and moves *list behind the name; false at the end. */
static bool name_next(const char **list, struct name *name) {
  if (**list == '\0') return false;
  *name = (struct name){*list, strcspn(*list, " ")};
  *list += name->length;
  if (**list) (*list)++;
  return true;
}

static bool name_same(const struct name *a, const struct name *b) {
  return a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

static bool list_holds(const char *list, const struct name *name) {
  struct name one;
  while (name_next(&list, &one))
    if (name_same(&one, name)) return true;
  return false;
}

static bool is_only_choice(const char *list) {
  return *list && !strchr(list, ' ');
}

/* Takes the first free card in a rank's list. taken [ranks]; length 0 if a rank has no card yet. */
static bool card_take(const struct card_seeker *seekers, int32_t ranks, int32_t rank, struct name *taken,
                      int32_t *card) {
  const char *list = seekers[rank].cards;
  struct name name;
  for (*card = 0; name_next(&list, &name); (*card)++) {
    bool left = true;
    for (int32_t i = 0; left && i < ranks; i++) left = !name_same(&taken[i], &name);
    if (!left) continue;
    taken[rank] = name;
    return true;
  }
  return false;
}

static bool none_left(const struct card_seeker *seekers, int32_t ranks, int32_t rank, struct error *error) {
  const int32_t machine = seekers[rank].machine;
  int32_t sharing = 0, cards = 0;
  for (int32_t i = 0; i < ranks; i++) {
    const char *list = seekers[i].cards;
    struct name name;
    if (seekers[i].machine != machine) continue;
    sharing += *list != '\0';
    while (name_next(&list, &name)) {
      bool counted = false;
      for (int32_t j = 0; j < i; j++)
        counted |= seekers[j].machine == machine && list_holds(seekers[j].cards, &name);
      cards += !counted;
    }
  }
  return error_set(error, ERROR_USAGE,
                   "%d ranks on %s have %d CUDA card%s to share, and each needs one of its own: start %d "
                   "there (mpirun --map-by ppr:%d:node), or pass --device cpu. (--device cuda:K and "
                   "CUDA_VISIBLE_DEVICES leave a rank fewer cards than the machine has.)",
                   sharing, seekers[rank].host, cards, cards == 1 ? "" : "s", cards, cards);
}

/* Numbers each machine's ranks that have a card. */
static void peers_count(const struct card_seeker *seekers, int32_t ranks, struct card_share *shares) {
  for (int32_t i = 0; i < ranks; i++) {
    struct card_share *share = &shares[i];
    for (int32_t j = 0; *seekers[i].cards && j < ranks; j++) {
      if (seekers[j].machine != seekers[i].machine || !*seekers[j].cards) continue;
      if (share->peers++ == 0) share->first = j;
      share->peer += j < i;
    }
  }
}

bool cards_deal(const struct card_seeker *seekers, int32_t ranks, struct card_share *shares,
                struct error *error) {
  struct name *taken = calloc((size_t)ranks, sizeof *taken);
  bool ok = taken != NULL;
  if (!ok) error_set_memory(error, (size_t)ranks * sizeof *taken, "the ranks' cards");
  memset(shares, 0, (size_t)ranks * sizeof *shares);
  for (int round = 0; round < 2; round++)
    for (int32_t i = 0; ok && i < ranks; i++) {
      if (!*seekers[i].cards || is_only_choice(seekers[i].cards) != (round == 0)) continue;
      ok = card_take(seekers, ranks, i, taken, &shares[i].card) || none_left(seekers, ranks, i, error);
    }
  if (ok) peers_count(seekers, ranks, shares);
  free(taken);
  return ok;
}
