/* Which shards a run has already: what the listed paths lead to today, and how often that is looked at. */
#include "io/run/shard_match.h"

#include "tests/unit/io/scratch.h"

#define EQUALS 300
#define OTHER_USER 65534

/* The program is linked with --wrap=stat. */
int __real_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status);

static int64_t looks;

int __wrap_stat(const char *path, struct stat *status) {
  looks++;
  return __real_stat(path, status);
}

static struct shard shard_at(const void *folder, const char *name) {
  char path[512];
  struct error error;
  struct shard shard = {.path = strdup(scratch_path(path, folder, name))};
  assert_non_null(shard.path);
  assert_ok(shard_examine(&shard, &error), &error);
  return shard;
}

static struct shard shard_make(const void *folder, const char *name, const char *text) {
  scratch_write(folder, name, text, strlen(text));
  return shard_at(folder, name);
}

static void folder_make(const void *folder, const char *name) {
  char path[512];
  assert_int_equal(mkdir(scratch_path(path, folder, name), 0755), 0);
}

/* As many listed ones as given ones, all equal. `there`: the listed ones lie where they lay. */
static void check_equals(const void *folder, const char *text, bool there, enum shard_known expected) {
  struct shard shard[EQUALS], given[EQUALS];
  struct shard_match match[EQUALS];
  struct error error;
  char name[32], path[512];
  for (int i = 0; i < EQUALS; i++) {
    snprintf(name, sizeof name, "old/%d.jsonl", i);
    shard[i] = shard_make(folder, name, text);
    if (!there) assert_int_equal(unlink(scratch_path(path, folder, name)), 0);
    snprintf(name, sizeof name, "new/%d.jsonl", i);
    given[i] = shard_make(folder, name, text);
  }
  const struct shard_list list = {.shard = shard, .count = EQUALS};
  looks = 0;
  assert_ok(shards_match(&list, given, EQUALS, match, &error), &error);
  assert_in_range(looks, EQUALS, 4 * 2 * EQUALS);
  for (int i = 0; i < EQUALS; i++) {
    assert_int_equal(match[i].known, expected);
    if (expected == SHARD_MOVED) assert_int_equal(match[i].listed, i);
    free(given[i].path);
    free(shard[i].path);
  }
}

static void many_equal_shards_are_looked_at_once_each(void **state) {
  folder_make(*state, "old");
  folder_make(*state, "new");
  check_equals(*state, "{}\n", true, SHARD_COPY);
  check_equals(*state, "{}\n", false, SHARD_MOVED);
  check_equals(*state, "", true, SHARD_NEW);
  check_equals(*state, "", false, SHARD_MOVED);
}

static void shard_whose_old_path_is_forbidden_counts_as_moved(void **state) {
  static const char *const forbidden[] = {"shut", "shut/a.jsonl"};
  char path[512];
  folder_make(*state, "shut");
  struct shard shard = shard_make(*state, "shut/a.jsonl", "{}\n"),
               given = shard_make(*state, "copy.jsonl", "{}\n");
  const struct shard_list list = {.shard = &shard, .count = 1};
  const uid_t user = geteuid();
  assert_int_equal(chmod(*state, 0755), 0);
  if (user == 0) { /* nothing is forbidden to root, so root becomes another user, if the machine lets it */
    const bool can = seteuid(OTHER_USER) == 0 && euidaccess(given.path, R_OK) == 0;
    assert_int_equal(seteuid(user), 0);
    if (!can) {
      free(given.path);
      free(shard.path);
      skip();
    }
  }
  for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
    struct shard_match match;
    struct error error = {0};
    assert_int_equal(chmod(scratch_path(path, *state, forbidden[i]), 0), 0);
    if (user == 0) assert_int_equal(seteuid(OTHER_USER), 0);
    const bool ok = shards_match(&list, &given, 1, &match, &error);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(path, 0755), 0);
    assert_ok(ok, &error);
    assert_int_equal(match.known, SHARD_MOVED);
    assert_int_equal(match.listed, 0);
  }
  free(given.path);
  free(shard.path);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(many_equal_shards_are_looked_at_once_each),
      IN_SCRATCH(shard_whose_old_path_is_forbidden_counts_as_moved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
