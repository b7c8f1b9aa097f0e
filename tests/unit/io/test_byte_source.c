#include "io/byte_source.h"

#include <signal.h>
#include <sys/time.h>

#include "tests/unit/io/shard_files.h"

/* 700 kB in lines that compress moderately: several zstd blocks, several reads. */
static struct bytes sample_text(void) {
  struct bytes text = {0};
  char line[256];
  uint32_t noise = 1;
  for (int i = 0; i < 9000; i++) {
    noise = noise * 1664525u + 1013904223u;
    snprintf(line, sizeof line, "{\"id\":%d,\"text\":\"la sessió ordinària número %u del ple municipal\"}\n",
             i, noise);
    bytes_add_text(&text, line);
  }
  return text;
}

/* Reads a source to its end or its damage, each call with the same capacity. Returns the last call's
 * value. */
static int64_t drain(struct byte_source *source, size_t capacity, struct bytes *text, struct error *error) {
  char *buffer = malloc(capacity);
  assert_non_null(buffer);
  int64_t count;
  while ((count = byte_source_read(source, buffer, capacity, error)) > 0) {
    assert_true((size_t)count <= capacity);
    bytes_add(text, buffer, (size_t)count);
  }
  free(buffer);
  return count;
}

static void assert_reads_as(const char *path, const struct bytes *expected, size_t capacity) {
  struct error error;
  struct bytes text = {0};
  struct byte_source *source = byte_source_open(path, &error);
  assert_non_null(source);
  assert_int_equal(drain(source, capacity, &text, &error), 0);
  assert_int_equal(text.size, expected->size);
  if (expected->size > 0) assert_memory_equal(text.data, expected->data, expected->size);
  assert_int_equal(byte_source_read(source, &error, 1, &error), 0);
  byte_source_close(source);
  bytes_free(&text);
}

/* Writes a file and checks that it reads as `expected` at every capacity. */
static void assert_content_reads_as(void **state, const struct bytes *content, const struct bytes *expected) {
  char *path = shard_put(state, "content", content);
  assert_reads_as(path, expected, 1 << 20);
  assert_reads_as(path, expected, 4099);
  /* A call can end anywhere inside a frame or a member. */
  for (size_t capacity = 1; expected->size < 100 && capacity <= expected->size; capacity++)
    assert_reads_as(path, expected, capacity);
  free(path);
}

/* Checks that the file reads as `expected` and then is damaged, at every capacity; the message must contain
 * `why`. */
static void assert_damaged_after(void **state, const struct bytes *content, const struct bytes *expected,
                                 const char *why) {
  char *path = shard_put(state, "damaged", content);
  const size_t capacities[] = {1 << 20, 1000, 3};
  for (int i = 0; i < 3; i++) {
    struct error error = {0}, again = {0};
    struct bytes text = {0};
    struct byte_source *source = byte_source_open(path, &error);
    assert_non_null(source);
    assert_int_equal(drain(source, capacities[i], &text, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "byte"));
    assert_non_null(strstr(error.message, why));
    assert_int_equal(text.size, expected->size);
    if (text.size > 0) assert_memory_equal(text.data, expected->data, text.size);
    assert_int_equal(byte_source_read(source, &text.size, 1, &again), -1);
    assert_string_equal(again.message, error.message);
    byte_source_close(source);
    bytes_free(&text);
  }
  free(path);
}

static void every_format_reads_as_its_text(void **state) {
  struct bytes text = sample_text(), gzip = {0}, zstd = {0};
  bytes_add_gzip(&gzip, text.data, text.size);
  bytes_add_zstd(&zstd, text.data, text.size);
  assert_content_reads_as(state, &text, &text);
  assert_content_reads_as(state, &gzip, &text);
  assert_content_reads_as(state, &zstd, &text);
  bytes_free(&text);
  bytes_free(&gzip);
  bytes_free(&zstd);
}

static void gzip_members_are_one_stream(void **state) {
  struct bytes content = {0}, text = {0};
  bytes_add_gzip(&content, "one\n", 4);
  bytes_add_gzip(&content, "", 0);
  bytes_add_gzip(&content, "two\n", 4);
  bytes_add(&content, "\0\0\0\0\0", 5);
  bytes_add_text(&text, "one\ntwo\n");
  assert_content_reads_as(state, &content, &text);
  bytes_free(&content);
  bytes_free(&text);
}

static void zstd_frames_are_one_stream(void **state) {
  struct bytes content = {0}, text = {0};
  bytes_add_skippable(&content, 9);
  bytes_add_zstd(&content, "one\n", 4);
  bytes_add_zstd(&content, "", 0);
  bytes_add_skippable(&content, 0);
  bytes_add_frame_header(&content);
  bytes_add_raw_block(&content, "two\n", false, 0);
  bytes_add_raw_block(&content, "", false, 0);
  bytes_add_raw_block(&content, "three\n", true, 0);
  bytes_add_text(&text, "one\ntwo\nthree\n");
  assert_content_reads_as(state, &content, &text);
  bytes_add_skippable(&content, 200);
  assert_content_reads_as(state, &content, &text);
  bytes_free(&content);
  bytes_free(&text);
}

static void small_files_are_plain(void **state) {
  const char *const texts[] = {"", "\x1f", "(", "P*", "{}", "\n", "\x1f\x8a\x08"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct bytes text = {0};
    bytes_add_text(&text, texts[i]);
    assert_content_reads_as(state, &text, &text);
    bytes_free(&text);
  }
}

/* The hard case: one call to the decompressor returns both output and damage. */
static void text_before_a_corrupt_zstd_block_is_returned(void **state) {
  struct bytes content = {0}, text = {0};
  bytes_add_frame_header(&content);
  bytes_add_raw_block(&content, "one\n", false, 0);
  bytes_add_raw_block(&content, "two\nthr", false, 0);
  bytes_add_raw_block(&content, "ee\n", false, 3);
  bytes_add_text(&text, "one\ntwo\nthr");
  assert_damaged_after(state, &content, &text, "corrupt");
  bytes_free(&content);
  bytes_free(&text);
}

static void corrupt_blocks_of_real_frames_lose_no_earlier_text(void **state) {
  struct bytes text = sample_text(), content = {0};
  bytes_add_zstd(&content, text.data, text.size);
  /* The checksum is wrong: all text is returned, then the damage is reported. */
  content.data[content.size - 1] ^= 1;
  assert_damaged_after(state, &content, &text, "corrupt");
  bytes_free(&content);
  bytes_add_gzip(&content, text.data, text.size);
  content.data[content.size - 6] ^= 1;
  assert_damaged_after(state, &content, &text, "corrupt");
  bytes_free(&content);
  bytes_free(&text);
}

static void truncated_zstd_is_damage(void **state) {
  struct bytes content = {0}, text = {0};
  bytes_add_frame_header(&content);
  bytes_add_raw_block(&content, "one\n", false, 0);
  bytes_add_text(&text, "one\n");
  assert_damaged_after(state, &content, &text, "ends inside a frame: the file is truncated");
  for (content.size = 2, text.size = 0; content.size < 6; content.size++)
    assert_damaged_after(state, &content, &text, "ends inside a frame: the file is truncated");
  bytes_free(&content);
  bytes_free(&text);
}

static void truncated_gzip_is_damage_at_every_byte(void **state) {
  struct bytes content = {0}, text = {0};
  bytes_add_gzip(&content, "one\ntwo\n", 8);
  const size_t whole = content.size;
  bytes_add_text(&text, "one\ntwo\n");
  /* The last eight bytes are the trailer. */
  for (content.size = whole - 8; content.size < whole; content.size++)
    assert_damaged_after(state, &content, &text, "ends inside a member: the file is truncated");
  text.size = 0;
  for (content.size = 2; content.size < 10; content.size++)
    assert_damaged_after(state, &content, &text, "ends inside a member: the file is truncated");
  bytes_free(&content);
  bytes_free(&text);
}

static void garbage_after_the_last_member_is_damage(void **state) {
  const char *const garbage[] = {"\n", "{\"id\":1}\n", "\x1f\x1f", "Pz"};
  struct bytes text = {0};
  bytes_add_text(&text, "one\n");
  for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
    struct bytes content = {0};
    bytes_add_gzip(&content, "one\n", 4);
    bytes_add_text(&content, garbage[i]);
    assert_damaged_after(state, &content, &text, garbage[i][0] == 0x1f ? "corrupt" : "garbage");
    bytes_free(&content);
    bytes_add_zstd(&content, "one\n", 4);
    bytes_add_text(&content, garbage[i]);
    assert_damaged_after(state, &content, &text, garbage[i][0] == 'P' ? "stream" : "garbage");
    bytes_free(&content);
  }
  struct bytes content = {0};
  bytes_add_gzip(&content, "one\n", 4);
  bytes_add(&content, "\0\0", 2);
  bytes_add_gzip(&content, "two\n", 4);
  assert_damaged_after(state, &content, &text, "garbage");
  bytes_free(&content);
  bytes_free(&text);
}

static void seek_goes_to_any_byte_of_a_plain_file(void **state) {
  struct bytes text = sample_text(), gzip = {0};
  char *path = shard_put(state, "plain", &text);
  struct error error;
  struct byte_source *source = byte_source_open(path, &error);
  assert_non_null(source);
  assert_true(byte_source_can_seek(source));
  const size_t offsets[] = {text.size, 0, 500001, 3, text.size - 1};
  for (int i = 0; i < 5; i++) {
    struct bytes rest = {0};
    assert_true(byte_source_seek(source, (int64_t)offsets[i], &error));
    assert_int_equal(byte_source_consumed(source), offsets[i]);
    assert_int_equal(drain(source, 65536, &rest, &error), 0);
    assert_int_equal(rest.size, text.size - offsets[i]);
    if (rest.size > 0) assert_memory_equal(rest.data, text.data + offsets[i], rest.size);
    assert_int_equal(byte_source_consumed(source), text.size);
    bytes_free(&rest);
  }
  assert_false(byte_source_seek(source, (int64_t)text.size + 1, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  byte_source_close(source);
  free(path);
  bytes_add_gzip(&gzip, text.data, text.size);
  path = shard_put(state, "gzip", &gzip);
  source = byte_source_open(path, &error);
  assert_non_null(source);
  assert_false(byte_source_can_seek(source));
  assert_false(byte_source_seek(source, 0, &error));
  byte_source_close(source);
  free(path);
  bytes_free(&text);
  bytes_free(&gzip);
}

static void consumed_counts_compressed_bytes(void **state) {
  struct bytes text = sample_text(), zstd = {0};
  bytes_add_zstd(&zstd, text.data, text.size);
  char *path = shard_put(state, "zstd", &zstd);
  struct error error;
  struct bytes out = {0};
  struct byte_source *source = byte_source_open(path, &error);
  assert_non_null(source);
  assert_int_equal(drain(source, 65536, &out, &error), 0);
  assert_int_equal(byte_source_consumed(source), zstd.size);
  byte_source_close(source);
  free(path);
  bytes_free(&out);
  bytes_free(&text);
  bytes_free(&zstd);
}

/* Starts a child that writes into a pipe, whose other end becomes this process's standard input, until
 * input_restore. Returns 0 in the child, which writes to *writer. */
static pid_t input_fork(int *writer, int *saved) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  close(ends[child == 0 ? 0 : 1]);
  *writer = ends[1];
  if (child == 0) return 0;
  *saved = dup(STDIN_FILENO);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  return child;
}

static void input_restore(int saved) {
  dup2(saved, STDIN_FILENO);
  close(saved);
}

/* Standard input is a pipe that gives one byte at a time: the format must still be found. */
static void standard_input_comes_in_pieces(void **state) {
  (void)state;
  struct bytes zstd = {0}, text = {0};
  bytes_add_zstd(&zstd, "one\ntwo\n", 8);
  int writer, saved;
  const pid_t child = input_fork(&writer, &saved);
  if (child == 0) {
    for (size_t i = 0; i < zstd.size; i++) {
      if (write(writer, zstd.data + i, 1) != 1) _exit(1);
      if (i < 6) usleep(2000); /* so that the reader usually sees the first bytes one by one */
    }
    _exit(0);
  }
  struct error error;
  struct byte_source *source = byte_source_open("-", &error);
  assert_non_null(source);
  assert_false(byte_source_can_seek(source));
  assert_int_equal(drain(source, 100, &text, &error), 0);
  assert_int_equal(text.size, 8);
  assert_memory_equal(text.data, "one\ntwo\n", 8);
  byte_source_close(source);
  input_restore(saved);
  waitpid(child, NULL, 0);
  bytes_free(&zstd);
  bytes_free(&text);
}

static atomic_int stop;

static void set_stop(int number) {
  (void)number;
  atomic_store(&stop, 1);
}

/* As nina's signal handlers do, which restart a read that they interrupt. */
static void stop_after_a_moment(void) {
  struct sigaction action = {.sa_handler = set_stop, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  atomic_store(&stop, 0);
  setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 20000}, NULL);
}

/* The pipe gives one byte, from which the format cannot be told, and then nothing for longer than a wait may
 * take. */
static void stop_by_a_signal_ends_the_wait_for_a_pipe(void **state) {
  (void)state;
  int writer, saved;
  const pid_t child = input_fork(&writer, &saved);
  if (child == 0) _exit(write(writer, "\x1f", 1) == 1 ? (int)sleep(5) : 1);
  struct error error = {0};
  stop_after_a_moment();
  struct byte_source *source = byte_source_open_until("-", &stop, NULL, &error);
  input_restore(saved);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  assert_null(source);
  assert_int_equal(error.code, ERROR_IO);
  assert_says(&error, "stopped while reading standard input");
}

static void stop_ends_the_reading_of_a_file(void **state) {
  struct bytes text = sample_text(), out = {0};
  char *path = shard_put(state, "plain", &text), byte;
  struct error error = {0};
  atomic_store(&stop, 0);
  struct byte_source *source = byte_source_open_until(path, &stop, NULL, &error);
  assert_non_null(source);
  assert_int_equal(byte_source_read(source, &byte, 1, &error), 1);
  atomic_store(&stop, 1);
  assert_int_equal(drain(source, 65536, &out, &error), -1);
  assert_int_equal(error.code, ERROR_IO);
  assert_says(&error, "stopped while reading");
  byte_source_close(source);
  free(path);
  bytes_free(&out);
  bytes_free(&text);
}

static void what_is_no_file_is_named(void **state) {
  struct error error = {0};
  char path[4200];
  snprintf(path, sizeof path, "%s/missing.jsonl", (const char *)*state);
  assert_null(byte_source_open(path, &error));
  assert_int_equal(error.code, ERROR_IO);
  assert_non_null(strstr(error.message, path));
  assert_non_null(strstr(error.message, "No such file"));
  assert_null(byte_source_open(*state, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_non_null(strstr(error.message, "is a folder"));
}

/* Runs in its own process. The first read from a plain file takes 256 KiB, each later read takes what is
 * asked for. So the third read fails at byte 256 Ki + 4 Ki, and every later call fails too. */
static int read_with_fault(const char *path) {
  struct error error = {0}, again = {0};
  char buffer[4096];
  struct byte_source *source = byte_source_open(path, &error);
  if (!source) return 1;
  int64_t total = 0, count;
  while ((count = byte_source_read(source, buffer, sizeof buffer, &error)) > 0) total += count;
  const bool right = count == -1 && total == 266240 && error.code == ERROR_IO &&
                     strstr(error.message, path) && strstr(error.message, "byte 266240") &&
                     strstr(error.message, "Input/output error") &&
                     byte_source_read(source, buffer, sizeof buffer, &again) == -1 &&
                     strcmp(again.message, error.message) == 0;
  byte_source_close(source);
  return right ? 0 : 2;
}

static void read_failure_names_file_and_byte(void **state) {
  struct bytes text = sample_text();
  char *path = shard_put(state, "plain", &text);
  assert_int_equal(run_with_fault("read:3:EIO", path), 0);
  assert_int_equal(run_with_fault("read:1:EIO", path), 1);
  free(path);
  bytes_free(&text);
}

int main(int argc, char **argv) {
  if (argc > 1) return read_with_fault(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_format_reads_as_its_text),
      cmocka_unit_test(gzip_members_are_one_stream),
      cmocka_unit_test(zstd_frames_are_one_stream),
      cmocka_unit_test(small_files_are_plain),
      cmocka_unit_test(text_before_a_corrupt_zstd_block_is_returned),
      cmocka_unit_test(corrupt_blocks_of_real_frames_lose_no_earlier_text),
      cmocka_unit_test(truncated_zstd_is_damage),
      cmocka_unit_test(truncated_gzip_is_damage_at_every_byte),
      cmocka_unit_test(garbage_after_the_last_member_is_damage),
      cmocka_unit_test(seek_goes_to_any_byte_of_a_plain_file),
      cmocka_unit_test(consumed_counts_compressed_bytes),
      cmocka_unit_test(standard_input_comes_in_pieces),
      cmocka_unit_test(stop_by_a_signal_ends_the_wait_for_a_pipe),
      cmocka_unit_test(stop_ends_the_reading_of_a_file),
      cmocka_unit_test(what_is_no_file_is_named),
      cmocka_unit_test(read_failure_names_file_and_byte),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
