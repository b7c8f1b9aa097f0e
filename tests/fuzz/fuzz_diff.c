/* Fuzzes the comparison of two output folders: the way back has the same changes the other way round, and a
 * folder does not differ from itself.
 *
 * The input is the folders old/ and new/ (see harness.h). */
#include "host/job/diff.h"
#include "tests/fuzz/harness.h"

struct changes {
  int64_t op[DIFF_REMOVE + 1];
};

static bool take_change(void *context, const struct diff_change *change, struct error *error) {
  (void)error;
  struct changes *changes = context;
  REQUIRE(change->id && change->id_length > 0 && change->row >= 0);
  REQUIRE(change->shard >= 0 && change->block >= 0 && change->chunk >= 0);
  REQUIRE(change->op == DIFF_REMOVE || changes->op[DIFF_REMOVE] == 0); /* the removed ones come last */
  changes->op[change->op]++;
  return true;
}

/* False if the two cannot be compared. */
static bool compare(const char *old, const char *new, struct diff_report *report) {
  struct changes changes = {0};
  struct error error = {0};
  *report = (struct diff_report){0};
  if (!diff_run(old, new, scratch_folder(), take_change, &changes, report, &error)) {
    require_sentence(&error);
    REQUIRE(error.code == ERROR_CONFLICT || error.code == ERROR_INPUT || error.code == ERROR_USAGE ||
            error.code == ERROR_IO || error.code == ERROR_MEMORY);
    return false;
  }
  REQUIRE(memcmp(changes.op, report->op, sizeof changes.op) == 0);
  return true;
}

static void check_self(const char *out) {
  struct diff_report report;
  if (!compare(out, out, &report)) return;
  REQUIRE(report.op[DIFF_ADD] == 0 && report.op[DIFF_CHANGE] == 0 && report.op[DIFF_REMOVE] == 0);
  REQUIRE(!report.other_fields && !report.other_ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct diff_report there, back;
  char old[256], new[256];
  const char *folder = scratch_sections("diff", data, size, NULL);
  snprintf(old, sizeof old, "%s/old", folder);
  snprintf(new, sizeof new, "%s/new", folder);
  const bool compared = compare(old, new, &there);
  REQUIRE(compare(new, old, &back) == compared);
  if (compared) {
    REQUIRE(there.op[DIFF_ADD] == back.op[DIFF_REMOVE] && there.op[DIFF_REMOVE] == back.op[DIFF_ADD]);
    REQUIRE(there.op[DIFF_CHANGE] == back.op[DIFF_CHANGE] && there.same == back.same);
    REQUIRE(there.other_fields == back.other_fields && there.other_ids == back.other_ids);
  }
  check_self(old);
  check_self(new);
  return 0;
}
