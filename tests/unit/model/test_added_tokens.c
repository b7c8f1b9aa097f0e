/* Added tokens in a text: the leftmost match wins, then the longest; what may stand beside a single word; and
 * which spaces a token takes with it. */
#include "host/model/added_tokens.h"
#include "tests/unit/model/folder.h"

static struct added_token token(const char *content, int32_t id) {
  return (struct added_token){.content = (char *)content, .length = strlen(content), .id = id};
}

struct fixture {
  struct added_tokens tokens;
  struct added_set set;
};

static struct fixture open_tokens(const struct added_token *tokens, size_t count) {
  struct fixture fixture = {0};
  const struct added_token *first, *second;
  struct error error;
  for (size_t i = 0; i < count; i++) assert_true(added_tokens_put(&fixture.tokens, &tokens[i], &error));
  for (size_t i = 0; i < fixture.tokens.count; i++) {
    const struct added_token *one = &fixture.tokens.token[i];
    assert_true(added_set_put(&fixture.set, one, one->content, one->length, &error));
  }
  assert_true(added_set_sort(&fixture.set, &first, &second));
  return fixture;
}

static void close_tokens(struct fixture *fixture) {
  added_set_free(&fixture->set);
  added_tokens_free(&fixture->tokens);
}

/* `expected`: "id:start-stop" for each match. */
static void expect(const struct fixture *fixture, const char *text, const char *expected) {
  struct added_search search = {&fixture->set, text, strlen(text), 0, 0};
  struct added_match match;
  char found[256] = "", *end = found;
  while (added_search_next(&search, &match))
    end += snprintf(end, sizeof found - (size_t)(end - found), "%s%d:%zu-%zu", end > found ? " " : "",
                    match.id, match.start, match.stop);
  if (strcmp(found, expected)) fail_msg("\"%s\": found %s, and was to find %s", text, found, expected);
}

static void longest_token_of_the_leftmost_place_is_found(void **state) {
  (void)state;
  const struct added_token tokens[] = {token("<s>", 0), token("<s>>", 1), token("<s", 2), token("s>x", 3),
                                       token("<t>", 4)};
  struct fixture fixture = open_tokens(tokens, 5);
  expect(&fixture, "", "");
  expect(&fixture, "a<s>b", "0:1-4");
  expect(&fixture, "<s>><s", "1:0-4 2:4-6");
  expect(&fixture, "<s>x", "0:0-3"); /* not s>x, which begins later */
  expect(&fixture, "<<s>", "0:1-4");
  expect(&fixture, "<t<t>", "4:2-5");
  expect(&fixture, "<", "");
  expect(&fixture, "s>xs>x", "3:0-3 3:3-6");
  close_tokens(&fixture);
}

static void single_words_have_no_letter_beside_them(void **state) {
  (void)state;
  struct added_token tokens[] = {token("mot", 0)};
  tokens[0].single_word = true;
  struct fixture fixture = open_tokens(tokens, 1);
  expect(&fixture, "mot", "0:0-3");
  expect(&fixture, "(mot).", "0:1-4");
  expect(&fixture, "mots amot mot_ 3mot motè émot", "");
  expect(&fixture, "mot\u0301 mot\u200d", ""); /* marks and joiners count as letters */
  expect(&fixture, "ⓐmot", "");                /* so do circled letters */
  expect(&fixture, "½mot ²mot motmot 字·mot",
         "0:2-5 0:8-11 0:24-27"); /* numbers that are not digits are no letters */
  close_tokens(&fixture);
}

static void space_belongs_to_the_token_that_strips_it(void **state) {
  (void)state;
  struct added_token tokens[] = {token("<l>", 0), token("<r>", 1), token("<n>", 2)};
  tokens[0].lstrip = true;
  tokens[1].rstrip = true;
  struct fixture fixture = open_tokens(tokens, 3);
  expect(&fixture, "a \t\u00a0<l> b", "0:1-8");
  expect(&fixture, "a <r>\u2003 b", "1:2-9");
  expect(&fixture, "<r>  <l>", "1:0-5 0:5-8");
  expect(&fixture, " <l><l>", "0:0-4 0:4-7");
  expect(&fixture, " <n> ", "2:1-4");
  expect(&fixture, "a\u200b<l>", "0:4-7"); /* not white space */
  expect(&fixture, "<r> ", "1:0-4");
  close_tokens(&fixture);
}

static void special_tokens_may_be_left_in_the_text(void **state) {
  (void)state;
  struct added_token tokens[] = {token("<s>", 0), token("[a]", 1)};
  tokens[0].special = true;
  struct fixture fixture = open_tokens(tokens, 2);
  fixture.set.keeps_special = true;
  expect(&fixture, "<s>[a]<s>", "1:3-6");
  close_tokens(&fixture);
}

static void token_of_the_same_content_takes_the_place(void **state) {
  (void)state;
  struct error error;
  const struct added_token tokens[] = {token("a", 1), token("b", 2), token("a", 3), token("", 4)};
  struct fixture fixture = open_tokens(tokens, 4);
  assert_int_equal(fixture.tokens.count, 2);
  assert_int_equal(fixture.tokens.token[0].id, 3);
  assert_null(added_tokens_find(&fixture.tokens, "", 0));
  assert_int_equal(added_tokens_find(&fixture.tokens, "b", 1)->id, 2);
  const struct added_token *first, *second;
  assert_true(added_set_put(&fixture.set, &fixture.tokens.token[1], "a", 1, &error));
  assert_false(added_set_sort(&fixture.set, &first, &second)); /* two tokens that look the same */
  close_tokens(&fixture);
}

/* Compares with a search that tries every token at every position. */
static void many_tokens_are_found_as_one_by_one(void **state) {
  (void)state;
  struct added_token tokens[300];
  char contents[300][8];
  uint32_t seed = 1;
  for (int i = 0; i < 300; i++) {
    int length = 1 + i % 6;
    for (int k = 0; k < length; k++) {
      seed = seed * 1664525 + 1013904223;
      contents[i][k] = "abc<"[seed >> 24 & 3];
    }
    contents[i][length] = '\0';
    tokens[i] = token(contents[i], i);
  }
  struct fixture fixture = open_tokens(tokens, 300);
  for (int i = 0; i < 2000; i++) {
    char text[40] = "", expected[512] = "";
    const int length = i % 40;
    for (int k = 0; k < length; k++) {
      seed = seed * 1664525 + 1013904223;
      text[k] = "abc<d"[(seed >> 16) % 5];
    }
    for (int at = 0; at < length;) {
      const struct added_token *longest = NULL;
      for (size_t t = 0; t < fixture.tokens.count; t++) {
        const struct added_token *one = &fixture.tokens.token[t];
        if (!strncmp(text + at, one->content, one->length) && (!longest || one->length > longest->length))
          longest = one;
      }
      if (longest)
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s%d:%d-%d",
                 *expected ? " " : "", longest->id, at, at + (int)longest->length);
      at += longest ? (int)longest->length : 1;
    }
    if (strlen(expected) < 200) expect(&fixture, text, expected);
  }
  close_tokens(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(longest_token_of_the_leftmost_place_is_found),
      cmocka_unit_test(single_words_have_no_letter_beside_them),
      cmocka_unit_test(space_belongs_to_the_token_that_strips_it),
      cmocka_unit_test(special_tokens_may_be_left_in_the_text),
      cmocka_unit_test(token_of_the_same_content_takes_the_place),
      cmocka_unit_test(many_tokens_are_found_as_one_by_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
