#include "host/job/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_parse.h"
#include "io/zst_size.h"

bool tally_open(struct tally *tally, int32_t max_tokens, struct error *error) {
  *tally = (struct tally){.max_tokens = max_tokens};
  tally->length = calloc((size_t)max_tokens + 1, sizeof *tally->length);
  return tally->length ||
         error_set_memory(error, (size_t)max_tokens * sizeof *tally->length, "the lengths of rows");
}

void tally_close(struct tally *tally) {
  free(tally->length);
  *tally = (struct tally){0};
}

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

/* True if two reasons differ only in numbers. */
static bool reasons_match(const char *a, const char *b) {
  for (; *a && *b; a++, b++) {
    if (is_digit(*a) && is_digit(*b)) {
      while (is_digit(a[1])) a++;
      while (is_digit(b[1])) b++;
    } else if (*a != *b) {
      return false;
    }
  }
  return *a == *b;
}

static bool is_before(const struct reject_reason *a, const struct reject_reason *b) {
  return a->shard != b->shard ? a->shard < b->shard : a->offset < b->offset;
}

static void tally_reject(struct tally *tally, const struct reject_reason *reject) {
  int32_t r = 0;
  while (r < tally->reasons && !reasons_match(tally->reason[r].text, reject->text)) r++;
  if (r == TALLY_REASONS) {
    tally->other_reasons++;
    return;
  }
  struct reject_reason *known = &tally->reason[r];
  const int64_t count = r < tally->reasons ? known->count + 1 : 1;
  if (r == tally->reasons || is_before(reject, known)) *known = *reject;
  known->count = count;
  if (r == tally->reasons) tally->reasons++;
}

bool tally_rejects(struct tally *tally, int32_t shard, bool numbered, const char *lines, size_t size,
                   struct error *error) {
  const char *line = lines;
  const char *const end = line + size;
  while (line < end) {
    const char *found = memchr(line, '\n', (size_t)(end - line)), *next = found ? found : end;
    json_error_t problem;
    json_t *record = json_parse(line, (size_t)(next - line), 0, &problem);
    const char *reason = json_string_value(json_object_get(record, "reason"));
    if (!reason) {
      const bool short_of_memory = !record && json_error_code(&problem) == json_error_out_of_memory;
      json_decref(record);
      return short_of_memory
                 ? error_set_memory(error, (size_t)(next - line), "a line of rejects")
                 : error_set(error, ERROR_INPUT,
                             "a line of the rejects of shard %d is no JSON object with a reason", shard);
    }
    const int64_t number = json_integer_value(json_object_get(record, "line"));
    struct reject_reason reject = {.shard = shard,
                                   .line = numbered ? number : 0,
                                   .offset = json_integer_value(json_object_get(record, "offset"))};
    snprintf(reject.text, sizeof reject.text, "%s", reason);
    json_decref(record);
    tally_reject(tally, &reject);
    line = next + 1;
  }
  return true;
}

/* Adds the size of a file's frames. */
static bool tally_frames(int64_t *bytes, const struct row_lines *lines, int zstd_level, struct error *error) {
  int64_t start = 0;
  for (int64_t f = 0; f < lines->frame_count; start = lines->frame[f++]) {
    const size_t length = (size_t)(lines->frame[f] - start);
    if (length == 0) continue;
    const int64_t size = zst_size(lines->text.bytes + start, length, zstd_level, error);
    if (size < 0) return false;
    *bytes += size;
  }
  return true;
}

bool tally_add(struct tally *tally, const struct flow_block *work, int zstd_level, struct error *error) {
  tally->blocks++;
  tally->lines += work->block.border.lines;
  tally->documents += work->documents;
  tally->rows += work->rows;
  tally->tokens += work->tokens;
  tally->rejected += work->rejected;
  tally->blank += work->blank;
  tally->truncated += work->truncated;
  tally->titles_cut += work->titles_cut;
  tally->characters += work->characters;
  tally->embedded += work->embedded;
  fields_there_add(&tally->there, work->there);
  tally->reject_bytes += (int64_t)work->reject_lines.size;
  for (int64_t i = 0; i < work->rows; i++) tally->length[work->row[i].tokens]++;
  return tally_frames(&tally->id_bytes, &work->id_lines, zstd_level, error) &&
         tally_frames(&tally->text_bytes, &work->text_lines, zstd_level, error) &&
         tally_frames(&tally->field_bytes, &work->field_lines, zstd_level, error) &&
         tally_rejects(tally, work->block.border.shard, work->block.border.first_line > 0,
                       work->reject_lines.bytes, work->reject_lines.size, error);
}

int32_t tally_quantile(const struct tally *tally, double share) {
  const double rank = ceil(share * (double)tally->rows);
  const int64_t wanted = rank < 1 ? 1 : (int64_t)rank;
  int64_t seen = 0;
  if (tally->rows == 0) return 0;
  for (int32_t tokens = 0; tokens <= tally->max_tokens; tokens++) {
    seen += tally->length[tokens];
    if (seen >= wanted) return tokens;
  }
  return tally->max_tokens;
}

static int by_count(const void *left, const void *right) {
  const struct reject_reason *a = left, *b = right;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  return is_before(a, b) ? -1 : is_before(b, a);
}

void tally_sort_reasons(struct tally *tally) {
  qsort(tally->reason, (size_t)tally->reasons, sizeof *tally->reason, by_count);
}
