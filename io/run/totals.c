#include "io/run/totals.h"

#define TOTAL(member) \
  { FIELD(#member, FIELD_SUM, struct run_totals, member) }

#define RARE(member) \
  { FIELD(#member, FIELD_RARE, struct run_totals, member) }

static const struct field fields[] = {
    TOTAL(parts),      TOTAL(lines),      TOTAL(rows),         TOTAL(rejected),          TOTAL(truncated),
    TOTAL(tokens),     TOTAL(blank),      TOTAL(vector_bytes), TOTAL(vector_file_bytes), TOTAL(file_bytes),
    TOTAL(incomplete), TOTAL(characters), TOTAL(embedded),     RARE(documents),          RARE(titles_cut),
};
const struct field_table totals_fields = FIELD_TABLE(fields);

int64_t totals_documents(const struct run_totals *totals) {
  return totals->documents > 0 ? totals->documents : totals->rows;
}

void totals_add(struct run_totals *total, const struct run_totals *part, int sign) {
  for (size_t i = 0; i < totals_fields.count; i++) {
    /* Unsigned: a million forged records may wrap around, which harms only the report. */
    uint64_t *sum = (uint64_t *)((char *)total + fields[i].offset);
    const uint64_t more = *(const uint64_t *)((const char *)part + fields[i].offset);
    *sum = sign < 0 ? *sum - more : *sum + more;
  }
}

void totals_compare(const struct run_totals *a, const struct run_totals *b, totals_fn *differs,
                    void *context) {
  for (size_t i = 0; i < totals_fields.count; i++) {
    const int64_t one = *(const int64_t *)((const char *)a + fields[i].offset);
    const int64_t other = *(const int64_t *)((const char *)b + fields[i].offset);
    if (one != other) differs(context, fields[i].key, one, other);
  }
}
