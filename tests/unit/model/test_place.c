#include "host/model/place.h"

#include "tests/unit/model/folder.h"

static const char *const variables[] = {"SENTENCE_TRANSFORMERS_HOME",
                                        "HF_HUB_CACHE",
                                        "HUGGINGFACE_HUB_CACHE",
                                        "HF_HOME",
                                        "XDG_CACHE_HOME",
                                        "HOME"};

static void variables_clear(void) {
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
}

/* A home without any cache. */
static char *home_make(void) {
  char *home = folder_make();
  variables_clear();
  setenv("HOME", home, 1);
  return home;
}

#define REPOSITORY "models--ca--model"
#define MODULES                                                                                   \
  "[{\"path\": \"\", \"type\": \"sentence_transformers.Transformer\"}, {\"path\": \"1_Pooling\"," \
  " \"type\": \"sentence_transformers.Pooling\"}, {\"path\": \"2_Normalize\", \"type\": "         \
  "\"sentence_transformers.Normalize\"}]"

static void put_below(const char *cache, const char *below, const char *text) {
  char name[300];
  snprintf(name, sizeof name, REPOSITORY "/%s", below);
  folder_put(cache, name, text);
}

/* A snapshot with all that nina needs. */
static void snapshot_put(const char *cache, const char *commit) {
  static const char *const files[][2] = {{"modules.json", MODULES},
                                         {"config.json", "{}"},
                                         {"1_Pooling/config.json", "{}"},
                                         {"model.safetensors", "x"},
                                         {"tokenizer.json", "{}"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char name[200];
    snprintf(name, sizeof name, "snapshots/%s/%s", commit, files[i][0]);
    put_below(cache, name, files[i][1]);
  }
}

static void assert_found(const char *reference, const char *cache, const char *commit) {
  struct error error = {0};
  char expected[500], *found = place_find(reference, &error);
  if (!found) fail_msg("%s", error.message);
  snprintf(expected, sizeof expected, "%s/" REPOSITORY "/snapshots/%s", cache, commit);
  assert_string_equal(found, expected);
  free(found);
}

static void assert_not_found(const char *reference, const char *part) {
  struct error error = {0};
  assert_null(place_find(reference, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  if (!strstr(error.message, part)) fail_msg("\"%s\" lacks \"%s\"", error.message, part);
}

static void folder_that_is_there_comes_first(void **state) {
  (void)state;
  char *home = home_make(), *before = getcwd(NULL, 0);
  struct error error = {0};
  snapshot_put(home, "0a1b");
  setenv("HF_HUB_CACHE", home, 1);
  folder_put(home, "ca/model/config.json", "{}");
  assert_int_equal(chdir(home), 0);
  char *found = place_find("ca/model", &error);
  assert_string_equal(found, "ca/model");
  free(found);
  assert_not_found("ca/model/config.json", "is a file; expected a folder");
  assert_int_equal(chdir(before), 0);
  assert_found("ca/model", home, "0a1b");
  free(before);
  folder_remove(home);
}

/* Each variable wins over those below it in place.h. */
static void caches_are_searched_in_the_order_of_huggingface_hub(void **state) {
  (void)state;
  char *home = home_make(), path[400];
  static const struct {
    const char *variable, *value, *cache;
  } cases[] = {
      {"HOME", "", "/.cache/huggingface/hub"},
      {"XDG_CACHE_HOME", "/xdg", "/xdg/huggingface/hub"},
      {"HF_HOME", "/hf", "/hf/hub"},
      {"HUGGINGFACE_HUB_CACHE", "/old", "/old"},
      {"HF_HUB_CACHE", "/new", "/new"},
      {"SENTENCE_TRANSFORMERS_HOME", "/st", "/st"},
      {"SENTENCE_TRANSFORMERS_HOME", "~/st2", "/st2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char cache[400];
    snprintf(cache, sizeof cache, "%s%s", home, cases[i].cache);
    snprintf(path, sizeof path, "%s%s", cases[i].value[0] == '~' ? "" : home, cases[i].value);
    setenv(cases[i].variable, path, 1);
    assert_not_found("ca/other", cache); /* it is searched */
    char *folder = strdup(cache);
    for (char *slash = folder + strlen(home); (slash = strchr(slash + 1, '/'));) {
      *slash = '\0';
      mkdir(folder, 0755);
      *slash = '/';
    }
    mkdir(folder, 0755);
    snapshot_put(cache, "0a1b");
    assert_found("ca/model", cache, "0a1b");
    free(folder);
  }
  /* A model that `hf download` fetched is found beside sentence-transformers' own. */
  snprintf(path, sizeof path, "%s/empty", home);
  setenv("SENTENCE_TRANSFORMERS_HOME", path, 1);
  snprintf(path, sizeof path, "%s/new", home);
  assert_found("ca/model", path, "0a1b");
  folder_remove(home);
}

static void refs_main_chooses_among_snapshots(void **state) {
  (void)state;
  char *home = home_make();
  setenv("HF_HUB_CACHE", home, 1);
  snapshot_put(home, "0a1b");
  assert_found("ca/model", home, "0a1b");
  snapshot_put(home, "0c2d");
  assert_not_found("ca/model", "0a1b, 0c2d");
  put_below(home, "refs/main", "0c2d\n");
  put_below(home, "refs/v2", "0a1b");
  assert_found("ca/model", home, "0c2d");
  assert_found("ca/model@v2", home, "0a1b");
  assert_found("ca/model@0a", home, "0a1b");
  assert_not_found("ca/model@0", "2 snapshots that begin so");
  assert_not_found("ca/model@ff", "hf download ca/model --revision ff");
  put_below(home, "refs/main", "0e3f");
  assert_not_found("ca/model", "the commit 0e3f");
  folder_remove(home);
}

static void revision_may_be_a_pull_request_or_a_branch_with_slashes(void **state) {
  (void)state;
  char *home = home_make();
  setenv("HF_HUB_CACHE", home, 1);
  snapshot_put(home, "0a1b");
  snapshot_put(home, "0c2d");
  put_below(home, "refs/refs/pr/1", "0a1b");
  put_below(home, "refs/tune/v2", "0c2d");
  assert_found("ca/model@refs/pr/1", home, "0a1b");
  assert_found("ca/model@tune/v2", home, "0c2d");
  assert_not_found("ca/model@refs/pr/2", "hf download ca/model --revision refs/pr/2");
  /* What could leave the folder of references is no revision. */
  put_below(home, "0f", "0a1b");
  static const char *const outside[] = {"ca/model@../0f", "ca/model@refs/../../0f", "ca/model@/0f",
                                        "ca/model@refs/", "ca/model@refs//pr"};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    assert_not_found(outside[i], "there is no folder");
  folder_remove(home);
}

static void missing_model_is_told_with_the_places_and_the_command(void **state) {
  (void)state;
  char *home = home_make(), part[400];
  snprintf(part, sizeof part,
           "there is no folder ca/model, and no model of this name in the cache %s/.cache/", home);
  assert_not_found("ca/model", part);
  assert_not_found("ca/model", "this command fetches it: hf download ca/model");
  assert_not_found("ca/model@0a1b", "hf download ca/model");
  variables_clear();
  assert_not_found("ca/model", "without HOME and HF_HOME");
  /* No path leaves the cache, and what is no name of the Hub is a folder's. */
  static const char *const paths[] = {"model",      "../model", "ca/..",   "/ca/model",
                                      "ca/model/x", "ca/",      "./model", ""};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct error error = {0};
    assert_null(place_find(paths[i], &error));
    assert_non_null(strstr(error.message, "there is no folder"));
    assert_null(strstr(error.message, "hf download"));
  }
  folder_remove(home);
}

static void drop_below(const char *cache, const char *below) {
  char name[300];
  snprintf(name, sizeof name, REPOSITORY "/%s", below);
  folder_drop(cache, name);
}

static void assert_lacks(const char *snapshot, const char *part) {
  struct error error = {0};
  if (!part) {
    if (!place_check_whole(snapshot, &error)) fail_msg("%s", error.message);
    return;
  }
  assert_false(place_check_whole(snapshot, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  if (!strstr(error.message, part)) fail_msg("\"%s\" lacks \"%s\"", error.message, part);
}

static void snapshot_that_is_not_whole_names_what_it_lacks(void **state) {
  (void)state;
  char *home = home_make(), snapshot[400], target[500];
  snprintf(snapshot, sizeof snapshot, "%s/" REPOSITORY "/snapshots/0a1b", home);
  snapshot_put(home, "0a1b");
  assert_lacks(snapshot, NULL);
  put_below(home, "blobs/ffff.1234.incomplete", "");
  assert_lacks(snapshot,
               "a download has not ended; this command completes it: hf download ca/model --revision 0a1b");
  put_below(home, "blobs/ffff", ""); /* a later try ended */
  assert_lacks(snapshot, NULL);

  drop_below(home, "snapshots/0a1b/model.safetensors");
  drop_below(home, "snapshots/0a1b/1_Pooling/config.json");
  drop_below(home, "snapshots/0a1b/tokenizer.json");
  assert_lacks(snapshot, "model.safetensors, tokenizer.json, 1_Pooling/config.json are missing;");
  put_below(home, "snapshots/0a1b/tokenizer.json", "{}");
  put_below(home, "snapshots/0a1b/1_Pooling/config.json", "{}");
  put_below(home, "snapshots/0a1b/model.safetensors.index.json",
            "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
  put_below(home, "snapshots/0a1b/one.safetensors", "");
  assert_lacks(snapshot, "two.safetensors is missing;");
  put_below(home, "snapshots/0a1b/two.safetensors", "");
  assert_lacks(snapshot, NULL);

  /* A file that nina could do without is wanted too, if the snapshot has a link to it. */
  snprintf(target, sizeof target, "%s/config_sentence_transformers.json", snapshot);
  assert_int_equal(symlink("../../blobs/eeee", target), 0);
  assert_lacks(snapshot, "config_sentence_transformers.json is missing;");
  put_below(home, "blobs/eeee", "{}");
  assert_lacks(snapshot, NULL);

  /* Without modules.json the model may be a bare one; but not if a download has not ended. */
  drop_below(home, "snapshots/0a1b/modules.json");
  assert_lacks(snapshot, NULL);
  put_below(home, "blobs/dddd.incomplete", "");
  assert_lacks(snapshot, "modules.json is missing, and a download has not ended;");
  folder_remove(home);
}

static void folder_outside_a_cache_is_not_looked_into(void **state) {
  (void)state;
  char *home = home_make();
  assert_lacks(home, NULL);
  struct error error = {0};
  char *name = home;
  assert_true(place_repository(home, &name, &error));
  assert_null(name);
  folder_remove(home);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folder_that_is_there_comes_first),
      cmocka_unit_test(caches_are_searched_in_the_order_of_huggingface_hub),
      cmocka_unit_test(refs_main_chooses_among_snapshots),
      cmocka_unit_test(revision_may_be_a_pull_request_or_a_branch_with_slashes),
      cmocka_unit_test(missing_model_is_told_with_the_places_and_the_command),
      cmocka_unit_test(snapshot_that_is_not_whole_names_what_it_lacks),
      cmocka_unit_test(folder_outside_a_cache_is_not_looked_into),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
