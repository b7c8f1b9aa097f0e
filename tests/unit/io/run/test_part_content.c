/* What verify demands of a part's ids: each document once, in the order of its shard, its chunks without a
 * gap. */
#include "io/run/part_content.h"

#include "tests/unit/io/frames.h"

#define ROWS_MOST 4

/* A row's numbers. A row of zeros ends a list. */
enum { LINE, OFFSET, CHUNK, START, END, NUMBERS };

/* Lines 11 to 20 of shard 3, at bytes 100 to 199. */
static const struct block_border border = {
    .shard = 3, .index = 1, .first_line = 11, .lines = 10, .first_offset = 100, .next_offset = 200};

/* True if the ids pass; their record counts them as they are. */
static bool pass(const void *folder, const int rows[ROWS_MOST][NUMBERS], int32_t chunk_tokens,
                 int64_t documents) {
  char path[512], text[ROWS_MOST * 160] = "", chunk[80] = "";
  struct part_record record = {.border = border, .documents = documents};
  const struct run_settings settings = {.chunk_tokens = chunk_tokens};
  struct part_rows found = {0};
  struct error error = {0};
  for (int i = 0; i < ROWS_MOST && rows[i][LINE]; i++) {
    const int *row = rows[i];
    if (chunk_tokens)
      sprintf(chunk, ",\"chunk\":%d,\"start\":%d,\"end\":%d", row[CHUNK], row[START], row[END]);
    sprintf(text + strlen(text),
            "{\"id\":\"%d\",\"shard\":3,\"line\":%d,\"offset\":%d,\"tokens\":7,\"truncated\":false%s}\n",
            row[LINE], row[LINE], row[OFFSET], chunk);
    record.rows++;
    record.tokens += 7;
  }
  frames_write(path, folder, (const char *[]){text}, 1);
  const bool passed = part_ids_check(path, &record, &settings, &found, &error);
  assert_int_equal(found.count, passed ? record.rows : 0);
  if (!passed) assert_says(&error, "which is not a place of this block after that of the row before");
  part_rows_free(&found);
  return passed;
}

static void each_document_comes_once_and_in_order(void **state) {
  static const struct {
    const char *what;
    int rows[ROWS_MOST][NUMBERS];
    bool right;
  } cases[] = {
      {"in order", {{11, 100}, {12, 110}, {20, 199}}, true},
      {"a line twice", {{11, 100}, {12, 110}, {12, 110}}, false},
      {"the first line twice", {{11, 100}, {11, 100}}, false},
      {"backwards", {{12, 110}, {11, 110}}, false},
      {"bytes backwards", {{12, 110}, {13, 109}}, false},
      {"before the block", {{10, 100}}, false},
      {"before its bytes", {{11, 99}}, false},
      {"after the block", {{21, 199}}, false},
      {"after its bytes", {{20, 200}}, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (pass(*state, cases[i].rows, 0, 0) != cases[i].right) fail_msg("%s", cases[i].what);
}

static void chunks_cover_each_text_in_order(void **state) {
  static const struct {
    const char *what;
    int rows[ROWS_MOST][NUMBERS];
    int documents;
    bool right;
  } cases[] = {
      {"end to end", {{11, 100, 0, 0, 9}, {11, 100, 1, 9, 15}, {12, 110, 0, 0, 4}}, 2, true},
      {"overlapping", {{11, 100, 0, 0, 9}, {11, 100, 1, 5, 15}}, 1, true},
      {"an empty text", {{11, 100, 0, 0, 0}, {12, 110, 0, 0, 0}}, 2, true},
      {"a gap", {{11, 100, 0, 0, 9}, {11, 100, 1, 10, 15}}, 1, false},
      {"no progress of the start", {{11, 100, 0, 0, 9}, {11, 100, 1, 0, 15}}, 1, false},
      {"no progress of the end", {{11, 100, 0, 0, 9}, {11, 100, 1, 5, 9}}, 1, false},
      {"a chunk left out", {{11, 100, 0, 0, 9}, {11, 100, 2, 9, 15}}, 1, false},
      {"a chunk twice", {{11, 100, 0, 0, 9}, {11, 100, 0, 0, 9}}, 2, false},
      {"a text that begins late", {{11, 100, 0, 1, 9}}, 1, false},
      {"a document that begins with its second chunk", {{11, 100, 0, 0, 9}, {12, 110, 1, 5, 15}}, 2, false},
      {"a document at two places", {{11, 100, 0, 0, 9}, {11, 101, 1, 9, 15}}, 1, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (pass(*state, cases[i].rows, 32, cases[i].documents) != cases[i].right) fail_msg("%s", cases[i].what);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(each_document_comes_once_and_in_order),
      IN_SCRATCH(chunks_cover_each_text_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
