/* Two ranks, but the second is made up: it repeats what this rank says until it must fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/ranks/ranks.h"
#include "host/ranks/world.h"

struct echo {
  struct world world;
  int32_t agreements; /* how often the other rank still says ok */
};

static void echo_gather(struct world *world, const void *bytes, size_t size, void *all) {
  struct echo *echo = (struct echo *)world;
  for (size_t i = 0; i < 2; i++) memcpy((char *)all + i * size, bytes, size);
  if (size == sizeof(bool) && echo->agreements-- == 0) ((bool *)all)[1] = false;
}

static void echo_close(struct world *world, bool broken) {
  (void)world;
  (void)broken;
}

static void texts_of_a_gather_in_which_a_rank_fails_are_not_left_behind(void **state) {
  static const struct world_vtable vtable = {.gather = echo_gather, .close = echo_close};
  (void)state;
  for (int32_t agreements = 0; agreements <= 3; agreements++) {
    struct echo echo = {.world = {&vtable, 0, 2}, .agreements = agreements};
    struct error error = {0};
    char *before, **texts = &before;
    struct ranks *ranks = ranks_open_world(&echo.world, &error);
    assert_non_null(ranks);
    assert_int_equal(ranks_gather(ranks, "text", &texts, &error), agreements == 3);
    if (agreements < 3) assert_null(texts);
    ranks_texts_free(ranks, texts);
    ranks_close(ranks);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_of_a_gather_in_which_a_rank_fails_are_not_left_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
