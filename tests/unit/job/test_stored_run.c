#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/job/stored_run.h"
#include "io/run/id_line.h"
#include "tests/unit/io/scratch.h"

static void id_line_is_read_whatever_the_order_of_its_members(void **state) {
  (void)state;
  struct id_line parsed;
  char line[] = "{\"offset\": 12, \"x\":[1,{}],\"line\":3 ,\"id\":\"a\\u00e7\\n\",\"shard\":2}";
  assert_true(id_line_parse(line, (int64_t)strlen(line), &parsed));
  assert_int_equal(parsed.id_length, 4);
  assert_memory_equal(parsed.id, "a\xc3\xa7\n", 4);
  assert_false(parsed.id_is_integer);
  assert_int_equal(parsed.shard, 2);
  assert_int_equal(parsed.line, 3);
  assert_int_equal(parsed.offset, 12);
  char number[] = "{\"id\":-12345678901234567890123}";
  assert_true(id_line_parse(number, (int64_t)strlen(number), &parsed));
  assert_true(parsed.id_is_integer);
  assert_int_equal(parsed.id_length, 24);
}

static void an_empty_id_is_an_id(void **state) {
  (void)state;
  char line[] = "{\"id\":\"\",\"shard\":1}";
  struct id_line parsed;
  assert_true(id_line_parse(line, (int64_t)strlen(line), &parsed));
  assert_non_null(parsed.id);
  assert_int_equal(parsed.id_length, 0);
}

static void broken_id_lines_are_refused_within_their_bytes(void **state) {
  (void)state;
  static const char *const lines[] = {"",
                                      "[]",
                                      "{",
                                      "{}",
                                      "{\"id\"",
                                      "{\"id\":1",
                                      "{\"id\":1,",
                                      "{\"id\":null}",
                                      "{\"id\":\"\\ud800\"}",
                                      "{\"shard\":1}",
                                      "{\"id\":1,\"line\":-1}",
                                      "{\"id\":1,\"line\":1.5}",
                                      "{\"id\":1,\"shard\":2147483648}",
                                      "{\"id\":1,\"offset\":1000000000000000000}"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    /* Exactly as long as the line, so that AddressSanitizer sees a read past the end. */
    const size_t length = strlen(lines[i]);
    char *bytes = malloc(length ? length : 1);
    struct id_line parsed;
    assert_non_null(bytes);
    memcpy(bytes, lines[i], length);
    if (id_line_parse(bytes, (int64_t)length, &parsed)) fail_msg("%s was taken", lines[i]);
    free(bytes);
  }
}

#define MANIFEST(widths, parts)                                                                       \
  "{\"format\":1,\"nina\":\"0\",\"state\":\"complete\",\"model\":{},\"settings\":{\"widths\":" widths \
  "},\"compute_class\":{},\"shards\":[]" parts "}"

static void manifest_put(const void *folder, const char *text) {
  char path[512];
  FILE *file = fopen(scratch_path(path, folder, "manifest.json"), "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void rows_are_numbered_through_all_parts(void **state) {
  struct stored_run run;
  struct error error;
  manifest_put(*state, MANIFEST("[8,4]",
                                ",\"totals\":{},\"parts\":[[\"00000-00000\",3],[\"00000-00001\",0],"
                                "[\"00001-00000\",2],[\"00001-00001\",0]]"));
  assert_ok(stored_run_open(*state, &run, &error), &error);
  static const int64_t part[] = {0, 0, 0, 2, 2};
  assert_int_equal(run.rows, 5);
  assert_int_equal(run.width_count, 2);
  assert_true(run.complete);
  for (int64_t row = 0; row < 5; row++) {
    const struct stored_part *own = &run.part[stored_run_part(&run, row)];
    assert_int_equal(own->shard, run.part[part[row]].shard);
    assert_int_equal(own->block, run.part[part[row]].block);
    assert_in_range(row, own->first_row, own->first_row + own->rows - 1);
  }
  struct vector_file *files = stored_run_files(&run, 4, &error);
  assert_non_null(files);
  assert_non_null(strstr(files[2].path, "/w4/part-00001-00000.npy.zst"));
  assert_int_equal(files[2].first_row, 3);
  assert_int_equal(files[2].rows, 2);
  stored_files_free(files, run.part_count);
  stored_run_close(&run);
}

static void a_run_without_rows_opens_but_has_nothing_to_find(void **state) {
  struct stored_run run;
  struct error error = {0};
  manifest_put(*state, MANIFEST("[8]", ",\"totals\":{},\"parts\":[]"));
  assert_ok(stored_run_open(*state, &run, &error), &error);
  assert_int_equal(run.rows, 0);
  assert_false(stored_run_check_rows(&run, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "no vector at all");
  stored_run_close(&run);
}

/* A complete manifest of one row; `shards` is the list's content, `class` that of the compute class. */
static void run_put(const void *folder, const char *class, const char *widths, const char *shards,
                    const char *parts) {
  char text[2000];
  snprintf(text, sizeof text,
           "{\"format\":1,\"nina\":\"0\",\"state\":\"complete\",\"model\":{},\"settings\":{\"widths\":%s},"
           "\"compute_class\":{%s},\"shards\":[%s],\"totals\":{},\"parts\":[[\"00000-00000\",1]%s]}",
           widths, class, shards, parts);
  manifest_put(folder, text);
}

/* The first part's record, last written `seconds` after 1970: nobody reads what it says. */
static void record_put(const void *folder, time_t seconds) {
  char path[512];
  mkdir(scratch_path(path, folder, "parts"), 0777);
  scratch_path(path, folder, "parts/part-00000-00000.json");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fclose(file);
  assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){{1, 0}, {seconds, 0}}, 0), 0);
}

/* Gives the manifest another time: files of one size may be written within a tick of the file system's
 * clock. */
static void manifest_age(const void *folder, time_t seconds) {
  char path[512];
  scratch_path(path, folder, "manifest.json");
  assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){{1, 0}, {seconds, 0}}, 0), 0);
}

#define CPU "\"encoder\":\"cpu\""

#define SHARD(name, size, last) \
  "{\"path\":\"" name "\",\"size\":" size ",\"fingerprint\":\"0000000000000000000000000000000" last "\"}"

static void a_run_that_goes_on_stands_and_one_begun_anew_does_not(void **state) {
  static const char first[] = SHARD("a", "5", "1");
  static const struct {
    const char *class, *widths, *shards, *parts;
    bool stands;
  } cases[] = {
      {CPU, "[8,4]", SHARD("a", "5", "1"), "", true},
      {"\"mixed\":[{" CPU "},{\"encoder\":\"cuda\"}]", "[8,4]", SHARD("a", "5", "1"), "", true},
      {"\"encoder\":\"null\"", "[8,4]", SHARD("a", "5", "1"), "", false},
      {CPU, "[8,4]", SHARD("a", "5", "1"), ",[\"00000-00001\",2]", true},
      {CPU, "[8,4]", SHARD("a", "5", "1") "," SHARD("b", "7", "2"), ",[\"00001-00000\",2]", true},
      {CPU, "[8]", SHARD("a", "5", "1"), "", false},
      {CPU, "[8,4]", SHARD("moved/a", "5", "1"), "", true},
      {CPU, "[8,4]", SHARD("a", "6", "1"), "", false},
      {CPU, "[8,4]", SHARD("a", "5", "2"), "", false},
      {CPU, "[8,4]", "", "", false},
      {CPU, "torn", "", "", false},
  };
  char path[512];
  scratch_path(path, *state, "manifest.json");
  record_put(*state, 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct stored_run run;
    struct error error = {0}, damage = {.code = ERROR_INPUT, .message = "damage"};
    run_put(*state, CPU, "[8,4]", first, "");
    assert_ok(stored_run_open(*state, &run, &error), &error);
    assert_ok(stored_run_stands(&run, &error), &error);
    run_put(*state, cases[i].class, cases[i].widths, cases[i].shards, cases[i].parts);
    manifest_age(*state, (time_t)i + 2);
    stored_run_blame(&run, &damage);
    assert_says(&damage,
                cases[i].stands ? "was changed while it was read" : "was begun anew while it was read");
    assert_int_equal(damage.code, cases[i].stands ? ERROR_INPUT : ERROR_CONFLICT);
    for (int time = 0; time < 2; time++)
      if (stored_run_stands(&run, &error) != cases[i].stands) fail_msg("case %zu", i);
    if (!cases[i].stands) {
      assert_int_equal(error.code, ERROR_CONFLICT);
      assert_says(&error, "was begun anew while it was read");
    }
    assert_int_equal(unlink(path), 0);
    assert_false(stored_run_stands(&run, &error));
    stored_run_close(&run);
  }
}

/* A shard that is changed in its middle keeps its fingerprint, so the two runs' manifests are equal. */
static void a_run_begun_anew_with_an_equal_manifest_does_not_stand(void **state) {
  static const char shard[] = SHARD("a", "5", "1");
  static const time_t records[] = {3, 0}; /* the new run's, or removed and not written again yet */
  for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
    char path[512];
    struct stored_run run;
    struct error error = {0};
    run_put(*state, CPU, "[8,4]", shard, "");
    manifest_age(*state, 1);
    record_put(*state, 1);
    assert_ok(stored_run_open(*state, &run, &error), &error);
    manifest_age(*state, 2);
    assert_ok(stored_run_stands(&run, &error), &error);
    manifest_age(*state, 3);
    if (records[i] > 0)
      record_put(*state, records[i]);
    else
      assert_int_equal(unlink(scratch_path(path, *state, "parts/part-00000-00000.json")), 0);
    assert_false(stored_run_stands(&run, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_says(&error, "was begun anew while it was read");
    stored_run_close(&run);
  }
}

static void standard_input_is_not_known_to_be_the_same(void **state) {
  static const char input[] = "{\"path\":\"-\",\"size\":-1,\"fingerprint\":\"\"}";
  struct stored_run run;
  struct error error = {0};
  record_put(*state, 1);
  run_put(*state, CPU, "[8]", input, "");
  assert_ok(stored_run_open(*state, &run, &error), &error);
  assert_ok(stored_run_stands(&run, &error), &error);
  run_put(*state, CPU, "[8]", input, ",[\"00000-00001\",1]");
  assert_false(stored_run_stands(&run, &error));
  stored_run_close(&run);
}

static void manifests_that_make_no_sense_are_refused(void **state) {
  static const char *const cases[][2] = {
      {MANIFEST("[]", ",\"totals\":{},\"parts\":[[\"0-0\",1]]"), "widths"},
      {MANIFEST("[4,8]", ",\"totals\":{},\"parts\":[[\"0-0\",1]]"), "widths"},
      {MANIFEST("[0]", ",\"totals\":{},\"parts\":[[\"0-0\",1]]"), "widths"},
      {MANIFEST("[4294967304]", ",\"totals\":{},\"parts\":[[\"0-0\",1]]"), "widths"},
      {MANIFEST("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", ",\"totals\":{},\"parts\":[[\"0-0\",1]]"),
       "widths"},
      {MANIFEST("[8]", ""), "start its nina embed again"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[[\"../../0-0\",1]]"), "entry 0 of parts"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[[\"0-0\",1],[\"0-1\",-1]]"), "entry 1 of parts"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[[\"0-0\",1],[\"0-1\",9223372036854775807]]"),
       "entry 1 of parts"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[[\"000000000000000000000000000000000-0\",1]]"),
       "entry 0 of parts"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[\"0-0\"]"), "entry 0 of parts"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[[\"0-1\",1],[\"0-1\",1]]"), "entry 1 of parts"},
      {MANIFEST("[8]", ",\"totals\":{},\"parts\":[[\"1-0\",1],[\"0-1\",1]]"), "entry 1 of parts"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct stored_run run;
    struct error error = {0};
    manifest_put(*state, cases[i][0]);
    if (stored_run_open(*state, &run, &error)) fail_msg("%s was taken", cases[i][0]);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, cases[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(id_line_is_read_whatever_the_order_of_its_members),
      cmocka_unit_test(an_empty_id_is_an_id),
      cmocka_unit_test(broken_id_lines_are_refused_within_their_bytes),
      cmocka_unit_test_setup_teardown(rows_are_numbered_through_all_parts, scratch_make, scratch_remove),
      cmocka_unit_test_setup_teardown(a_run_that_goes_on_stands_and_one_begun_anew_does_not, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(a_run_begun_anew_with_an_equal_manifest_does_not_stand, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(standard_input_is_not_known_to_be_the_same, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(a_run_without_rows_opens_but_has_nothing_to_find, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(manifests_that_make_no_sense_are_refused, scratch_make, scratch_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
