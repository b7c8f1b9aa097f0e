#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/job/card_deal.h"

#define COUNT(array) (int32_t)(sizeof(array) / sizeof *(array))

static void check_cards(const struct card_seeker *seekers, int32_t ranks, const int32_t *cards) {
  struct card_share shares[16];
  struct error error = {.message = ""};
  if (!cards_deal(seekers, ranks, shares, &error)) fail_msg("%s", error.message);
  for (int32_t i = 0; i < ranks; i++)
    if (shares[i].card != cards[i]) fail_msg("rank %d got its card %d", i, shares[i].card);
}

static void check_refused(const struct card_seeker *seekers, int32_t ranks, const char *phrase) {
  struct card_share shares[16];
  struct error error = {.message = ""};
  assert_false(cards_deal(seekers, ranks, shares, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  if (!strstr(error.message, phrase)) fail_msg("\"%s\" is not in \"%s\"", phrase, error.message);
}

static void ranks_that_see_all_cards_take_them_in_order(void **state) {
  static const struct card_seeker seekers[] = {{"a b c", "x", 0}, {"a b c", "x", 0}, {"a b c", "x", 0}};
  (void)state;
  check_cards(seekers, 3, (int32_t[]){0, 1, 2});
  check_cards(seekers, 2, (int32_t[]){0, 1});
}

static void ranks_that_see_one_card_each_take_it(void **state) {
  static const struct card_seeker seekers[] = {{"b", "x", 0}, {"aa", "x", 0}, {"a", "x", 0}};
  (void)state;
  check_cards(seekers, 3, (int32_t[]){0, 0, 0});
}

static void each_machine_deals_its_own(void **state) {
  static const struct card_seeker seekers[] = {
      {"a b", "x", 0}, {"c d", "y", 1}, {"a b", "x", 0}, {"c d", "y", 1}};
  struct card_share shares[4];
  struct error error;
  (void)state;
  check_cards(seekers, 4, (int32_t[]){0, 0, 1, 1});
  assert_true(cards_deal(seekers, 4, shares, &error));
  for (int32_t i = 0; i < 4; i++) {
    assert_int_equal(shares[i].peers, 2);
    assert_int_equal(shares[i].peer, i / 2);
    assert_int_equal(shares[i].first, i % 2);
  }
}

static void card_that_a_rank_must_have_is_kept_for_it(void **state) {
  static const struct card_seeker seekers[] = {{"a b c", "x", 0}, {"a c", "x", 0}, {"a", "x", 0}};
  (void)state;
  check_cards(seekers, 3, (int32_t[]){1, 1, 0});
}

static void rank_that_takes_no_card_is_no_peer(void **state) {
  static const struct card_seeker seekers[] = {{"", "x", 0}, {"a b", "x", 0}, {"", "x", 0}, {"a b", "x", 0}};
  struct card_share shares[4];
  struct error error;
  (void)state;
  assert_true(cards_deal(seekers, 4, shares, &error));
  assert_int_equal(shares[0].peers, 0);
  assert_int_equal(shares[2].peers, 0);
  assert_int_equal(shares[3].peers, 2);
  assert_int_equal(shares[3].peer, 1);
  assert_int_equal(shares[3].first, 1);
  assert_int_equal(shares[3].card, 1);
}

static void more_ranks_than_cards_is_an_error_that_counts_both(void **state) {
  static const struct card_seeker seekers[] = {
      {"a b", "x", 0}, {"d", "y", 1}, {"a b", "x", 0}, {"", "x", 0}, {"b a", "x", 0}};
  static const struct card_seeker fixed[] = {{"a", "x", 0}, {"a", "x", 0}};
  (void)state;
  check_refused(seekers, COUNT(seekers), "3 ranks on x have 2 CUDA cards to share");
  check_refused(seekers, COUNT(seekers), "--map-by ppr:2:node");
  check_refused(fixed, COUNT(fixed), "2 ranks on x have 1 CUDA card to share");
}

/* Two containers on one machine have different host names, but may see the same cards. */
static void card_is_not_dealt_twice_under_two_host_names(void **state) {
  static const struct card_seeker seekers[] = {{"a b", "x", 0}, {"a b", "y", 1}};
  (void)state;
  check_cards(seekers, 2, (int32_t[]){0, 1});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_that_see_all_cards_take_them_in_order),
      cmocka_unit_test(ranks_that_see_one_card_each_take_it),
      cmocka_unit_test(each_machine_deals_its_own),
      cmocka_unit_test(card_that_a_rank_must_have_is_kept_for_it),
      cmocka_unit_test(rank_that_takes_no_card_is_no_peer),
      cmocka_unit_test(more_ranks_than_cards_is_an_error_that_counts_both),
      cmocka_unit_test(card_is_not_dealt_twice_under_two_host_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
