#include "host/job/first_lines.h"

#include <signal.h>

#include "tests/unit/io/run/failing_memory.h"
#include "tests/unit/io/shard_files.h"

#define PIECE (1 << 16)
#define LONG_INPUT ((int64_t)80 << 20)      /* more than a look takes */
#define TAKEN_AT_MOST ((int64_t)(64 << 20)) /* of standard input by a look */

/* Standard input while a test runs: a pipe to which a child writes `start`, and then `again` for ever or
 * until `size` bytes are written. */
struct feed {
  pid_t child;
  int saved;
};

static void feed_write(int descriptor, const struct bytes *start, const struct bytes *again, int64_t size) {
  const struct bytes *piece = start;
  for (int64_t written = 0; written < size;) {
    const int64_t left = size - written;
    const size_t count = left < (int64_t)piece->size ? (size_t)left : piece->size;
    for (size_t at = 0; at < count;) {
      const ssize_t put = write(descriptor, piece->data + at, count - at);
      if (put < 0) _exit(1);
      at += (size_t)put;
    }
    written += (int64_t)count;
    piece = again;
  }
  _exit(0);
}

static struct feed feed_begin(const struct bytes *start, const struct bytes *again, int64_t size) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct feed feed = {.child = fork(), .saved = dup(STDIN_FILENO)};
  assert_true(feed.child >= 0);
  if (feed.child == 0) {
    close(ends[0]);
    feed_write(ends[1], start, again, size);
  }
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  close(ends[1]);
  return feed;
}

static void feed_end(const struct feed *feed) {
  dup2(feed->saved, STDIN_FILENO);
  close(feed->saved);
  kill(feed->child, SIGKILL);
  waitpid(feed->child, NULL, 0);
}

/* Looks at standard input, of which `head` gets what was taken. */
static bool look(struct byte_head *head, struct error *error) {
  const struct shard shard = {.path = (char[]){"-"}, .size = -1};
  const struct first_lines first = {
      .shards = &shard, .count = 1, .fields = {.text = "text"}, .max_line = 1 << 20};
  return first_lines_check(&first, head, error);
}

/* A look at LONG_INPUT bytes takes no more than a part, and accepts what it saw. */
static void assert_look_ends(const struct bytes *start, const struct bytes *again) {
  struct error error = {0};
  struct byte_head head;
  const struct feed feed = feed_begin(start, again, LONG_INPUT);
  assert_ok(look(&head, &error), &error);
  feed_end(&feed);
  if (head.size > TAKEN_AT_MOST) fail_msg("%zu bytes are kept", head.size);
  byte_head_free(&head);
}

static void look_at_standard_input_is_bounded_whatever_comes(void **state) {
  (void)state;
  struct bytes piece = {0}, start = {0};
  for (int i = 0; i < PIECE / 8; i++) bytes_add_text(&piece, "12345678");
  bytes_add_text(&start, "[");
  assert_look_ends(&start, &piece); /* one line without an end */
  memset(piece.data, '\n', piece.size);
  assert_look_ends(&start, &piece); /* no line that counts */
  start.size = 0;
  bytes_add_gzip(&start, "{}\n", 3);
  memset(piece.data, 0, piece.size);
  assert_look_ends(&start, &piece); /* no text: padding after a member */
  bytes_free(&piece);
  bytes_free(&start);
}

/* 900 rejected lines, so that a look takes many pieces, and an accepted one. */
static struct bytes long_start(void) {
  struct bytes text = {0};
  char line[1200];
  for (int i = 0; i < 900; i++) {
    snprintf(line, sizeof line, "{\"cos\":\"%01000d\"}\n", i);
    bytes_add_text(&text, line);
  }
  bytes_add_text(&text, "{\"text\":\"a\"}\nthe rest\n");
  return text;
}

static void look_without_memory_loses_no_byte_of_standard_input(void **state) {
  (void)state;
  struct bytes text = long_start();
  bool done = false;
  for (int n = 1; !done; n++) {
    struct error error = {0};
    struct byte_head head;
    struct bytes all = {0};
    char buffer[4096];
    int64_t count;
    const struct feed feed = feed_begin(&text, &text, (int64_t)text.size);
    memory_fails_at(n);
    done = look(&head, &error);
    const bool failed = memory_left == 0;
    memory_fails_at(0);
    if (failed == done || (failed && error.code != ERROR_MEMORY))
      fail_msg("allocation %d: %s", n, error.message);
    struct byte_source *source = byte_source_open_until("-", NULL, &head, &error);
    assert_non_null(source);
    while ((count = byte_source_read(source, buffer, sizeof buffer, &error)) > 0)
      bytes_add(&all, buffer, (size_t)count);
    assert_int_equal(count, 0);
    assert_int_equal(all.size, text.size);
    assert_memory_equal(all.data, text.data, text.size);
    byte_source_close(source);
    feed_end(&feed);
    byte_head_free(&head);
    bytes_free(&all);
  }
  bytes_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(look_at_standard_input_is_bounded_whatever_comes),
      cmocka_unit_test(look_without_memory_loses_no_byte_of_standard_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
