#include "io/run/totals.h"

#include <stddef.h>

static const struct {
  const char *key;
  size_t offset;
} total_counts[] = {
    {"parts", offsetof(struct run_totals, parts)},
    {"lines", offsetof(struct run_totals, lines)},
    {"rows", offsetof(struct run_totals, rows)},
    {"rejected", offsetof(struct run_totals, rejected)},
    {"truncated", offsetof(struct run_totals, truncated)},
    {"tokens", offsetof(struct run_totals, tokens)},
    {"blank", offsetof(struct run_totals, blank)},
    {"vector_bytes", offsetof(struct run_totals, vector_bytes)},
    {"vector_file_bytes", offsetof(struct run_totals, vector_file_bytes)},
    {"file_bytes", offsetof(struct run_totals, file_bytes)},
    {"incomplete", offsetof(struct run_totals, incomplete)},
};
#define TOTAL_COUNTS (sizeof total_counts / sizeof total_counts[0])

void totals_add(struct run_totals *total, const struct run_totals *part, int sign) {
  for (size_t i = 0; i < TOTAL_COUNTS; i++) {
    /* Unsigned: a million forged records may wrap around, and nothing but the report suffers. */
    uint64_t *sum = (uint64_t *)((char *)total + total_counts[i].offset);
    const uint64_t more = *(const uint64_t *)((const char *)part + total_counts[i].offset);
    *sum = sign < 0 ? *sum - more : *sum + more;
  }
}

json_t *totals_to_json(const struct run_totals *totals) {
  json_t *json = json_object();
  int failed = json == NULL;
  for (size_t i = 0; i < TOTAL_COUNTS; i++) {
    const int64_t *value = (const int64_t *)((const char *)totals + total_counts[i].offset);
    failed |= json_object_set_new(json, total_counts[i].key, json_integer(*value));
  }
  if (!failed) return json;
  json_decref(json);
  return NULL;
}
