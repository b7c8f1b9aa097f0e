#include "io/run/shard_match.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/look.h"
#include "io/text.h"

enum presence { PRESENCE_UNKNOWN, PRESENT, ABSENT };

/* Key → numbers of the list's shards that have it. */
struct index {
  json_t *numbers;
  int32_t *passed; /* [list->count]: by a key's first number, how many of the key's numbers are of no use any
                      more; so equal shards, however many, are gone through once */
};

struct matching {
  const struct shard_list *list;
  const struct shard *given;
  int32_t count;
  struct shard_match *match; /* [count] */
  bool *taken;               /* [list->count] */
  unsigned char *presence;   /* [list->count], enum presence: whether the path leads to the content */
  struct index present;      /* by file: the shards that have been found present */
};

/* A key that two equal shards share, allocated. NULL with *none: the shard has no such key. NULL without:
 * memory is short. */
typedef char *key_fn(const struct shard *shard, bool *none);

static char *key_of_path(const struct shard *shard, bool *none) {
  *none = false;
  return strdup(shard->path);
}

/* A path of the list that cannot be looked at is recognised by its content, if at all. */
static bool is_found(const char *path, struct look *look) {
  struct error unused;
  return look_at(path, look, &unused) && look->kind != LOOK_NOTHING;
}

static char *key_of_place(const struct shard *shard, bool *none) {
  const char *slash = strrchr(shard->path, '/');
  struct look look;
  char *folder = slash ? strndup(shard->path, (size_t)(slash - shard->path) + 1) : strdup(".");
  *none = folder && (shard->size < 0 || !is_found(folder, &look));
  char *key = folder && !*none ? text_format("%" PRIu64 " %" PRIu64 " %s", look.device, look.inode,
                                             slash ? slash + 1 : shard->path)
                               : NULL;
  free(folder);
  return key;
}

/* With the content: the list's path may be a link that leads to another file than then. */
static char *key_of_look(const struct shard *shard, const struct look *look) {
  return text_format("%" PRIu64 " %" PRIu64 " %" PRId64 " %s", look->device, look->inode, shard->size,
                     shard->fingerprint);
}

static char *key_of_file(const struct shard *shard, bool *none) {
  struct look look;
  *none = shard->size < 0 || !is_found(shard->path, &look);
  return *none ? NULL : key_of_look(shard, &look);
}

static char *key_of_content(const struct shard *shard, bool *none) {
  *none = shard->size < 0;
  return *none ? NULL : text_format("%" PRId64 " %s", shard->size, shard->fingerprint);
}

static bool memory_short(struct error *error) {
  return error_set_memory(error, PATH_MAX, "the shards' keys");
}

static void index_free(struct index *index) {
  json_decref(index->numbers);
  free(index->passed);
}

static bool index_begin(struct index *index, int32_t count) {
  *index = (struct index){json_object(), calloc((size_t)count + 1, sizeof *index->passed)};
  return index->numbers && index->passed;
}

/* Frees the key; NULL if memory is short. Paths may be any bytes: keys are not checked. */
static bool index_add(struct index *index, char *key, int32_t number) {
  json_t *numbers = key ? json_object_get(index->numbers, key) : NULL;
  bool ok = key != NULL;
  if (ok && !numbers) ok = json_object_set_new_nocheck(index->numbers, key, numbers = json_array()) == 0;
  free(key);
  return ok && json_array_append_new(numbers, json_integer(number)) == 0;
}

/* The list's shards, without `with_taken` those that are not taken. False if memory is short. */
static bool index_fill(struct index *index, const struct matching *matching, key_fn *key_of,
                       bool with_taken) {
  bool ok = index_begin(index, matching->list->count);
  for (int32_t i = 0; ok && i < matching->list->count; i++) {
    bool none;
    if (matching->taken[i] && !with_taken) continue;
    char *key = key_of(&matching->list->shard[i], &none);
    ok = none || index_add(index, key, i);
  }
  return ok;
}

/* The list's shards with the given shard's key; NULL with ok: there are none. */
static const json_t *index_find(const struct index *index, key_fn *key_of, const struct shard *given,
                                bool *ok) {
  bool none;
  char *key = key_of(given, &none);
  *ok = key || none;
  const json_t *numbers = key ? json_object_get(index->numbers, key) : NULL;
  free(key);
  return numbers;
}

static int32_t number_at(const json_t *numbers, int32_t i) {
  return (int32_t)json_integer_value(json_array_get(numbers, (size_t)i));
}

/* The first of the key's numbers that is neither passed nor taken, or -1. */
static int32_t index_next(struct index *index, const struct matching *matching, const json_t *numbers) {
  const int32_t count = (int32_t)json_array_size(numbers);
  if (count == 0) return -1;
  int32_t *passed = &index->passed[number_at(numbers, 0)];
  while (*passed < count && matching->taken[number_at(numbers, *passed)]) (*passed)++;
  return *passed < count ? number_at(numbers, *passed) : -1;
}

/* The number that index_next gave is of no use to the given shards that follow either. */
static void index_pass(struct index *index, const json_t *numbers) {
  index->passed[number_at(numbers, 0)]++;
}

static void match_take(struct matching *matching, int32_t given, enum shard_known known, int32_t listed) {
  matching->match[given] = (struct shard_match){known, listed};
  matching->taken[listed] = true;
}

static bool match_by(struct matching *matching, key_fn *key_of, struct error *error) {
  struct index index;
  bool ok = index_fill(&index, matching, key_of, false);
  for (int32_t g = 0; ok && g < matching->count; g++) {
    if (matching->match[g].known != SHARD_NEW) continue;
    const json_t *numbers = index_find(&index, key_of, &matching->given[g], &ok);
    const int32_t listed = index_next(&index, matching, numbers);
    if (listed >= 0) match_take(matching, g, SHARD_LISTED, listed);
  }
  index_free(&index);
  return ok || memory_short(error);
}

/* Of a path that this user may not follow, nothing better will be known. Other errors may pass. */
static bool is_forbidden(const char *path) {
  return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 && (errno == EACCES || errno == ELOOP);
}

/* Whether the path of the list's shard leads to the shard's content, and what it leads to. */
static bool content_look(const struct shard *shard, bool *present, struct look *look, struct error *error) {
  struct shard now = {.path = shard->path};
  *present = false;
  if (!look_at(shard->path, look, error)) return is_forbidden(shard->path);
  if (look->kind != LOOK_FILE || look->size != shard->size) return true;
  if (!shard_examine(&now, error)) return is_forbidden(shard->path);
  *present = shard_same_content(&now, shard);
  return true;
}

static bool presence_look(struct matching *matching, int32_t listed, struct error *error) {
  const struct shard *shard = &matching->list->shard[listed];
  struct look look;
  bool present;
  if (matching->presence[listed] != PRESENCE_UNKNOWN) return true;
  if (!content_look(shard, &present, &look, error)) return false;
  matching->presence[listed] = present ? PRESENT : ABSENT;
  return !present || index_add(&matching->present, key_of_look(shard, &look), listed) || memory_short(error);
}

/* Takes the shard of the list that is the same file, if there is one. A key may have failed to tell: before a
 * shard is called a copy, an error counts. */
static bool match_file(struct matching *matching, int32_t given, struct error *error) {
  const struct shard *shard = &matching->given[given];
  struct look look;
  if (!look_at(shard->path, &look, error)) return false;
  char *key = key_of_look(shard, &look);
  if (!key) return memory_short(error);
  const json_t *numbers = json_object_get(matching->present.numbers, key);
  const int32_t listed = index_next(&matching->present, matching, numbers);
  free(key);
  if (listed >= 0) match_take(matching, given, SHARD_LISTED, listed);
  return true;
}

/* An empty shard is nobody's copy. */
static bool match_content(struct matching *matching, int32_t given, struct index *index,
                          const json_t *numbers, struct error *error) {
  struct shard_match *match = &matching->match[given];
  for (int32_t listed; (listed = index_next(index, matching, numbers)) >= 0; index_pass(index, numbers)) {
    if (!presence_look(matching, listed, error)) return false;
    if (matching->presence[listed] == PRESENT) continue;
    match_take(matching, given, SHARD_MOVED, listed);
    return true;
  }
  if (matching->given[given].size == 0) return true;
  if (!match_file(matching, given, error)) return false;
  if (match->known == SHARD_NEW) *match = (struct shard_match){SHARD_COPY, number_at(numbers, 0)};
  return true;
}

static bool match_by_content(struct matching *matching, struct error *error) {
  struct index index;
  bool had = index_fill(&index, matching, key_of_content, true), ok = had || memory_short(error);
  for (int32_t g = 0; ok && g < matching->count; g++) {
    if (matching->match[g].known != SHARD_NEW) continue;
    const json_t *numbers = index_find(&index, key_of_content, &matching->given[g], &had);
    ok = had ? !numbers || match_content(matching, g, &index, numbers, error) : memory_short(error);
  }
  index_free(&index);
  return ok;
}

static bool some_are_new(const struct matching *matching) {
  for (int32_t g = 0; g < matching->count; g++)
    if (matching->match[g].known == SHARD_NEW) return true;
  return false;
}

bool shards_match(const struct shard_list *list, const struct shard *given, int32_t count,
                  struct shard_match *match, struct error *error) {
  static key_fn *const keys[] = {key_of_path, key_of_place, key_of_file};
  const size_t room = (size_t)list->count + 1;
  struct matching matching = {.list = list,
                              .given = given,
                              .count = count,
                              .match = match,
                              .taken = calloc(room, sizeof *matching.taken),
                              .presence = calloc(room, sizeof *matching.presence)};
  bool ok = index_begin(&matching.present, list->count) && matching.taken && matching.presence;
  if (!ok) memory_short(error);
  for (int32_t g = 0; g < count; g++) match[g] = (struct shard_match){SHARD_NEW, -1};
  for (size_t k = 0; ok && k < sizeof keys / sizeof *keys && some_are_new(&matching); k++)
    ok = match_by(&matching, keys[k], error);
  ok = ok && (!some_are_new(&matching) || match_by_content(&matching, error));
  index_free(&matching.present);
  free(matching.presence);
  free(matching.taken);
  return ok;
}

/* Counts the shards that are known in this way; *first is the first one. */
static int32_t count_known(const struct shard_match *match, int32_t count, enum shard_known known,
                           int32_t *first) {
  int32_t found = 0;
  for (int32_t g = 0; g < count; g++)
    if (match[g].known == known && found++ == 0) *first = g;
  return found;
}

void shards_describe_moved(const struct shard_list *list, const struct shard *given, int32_t count,
                           const struct shard_match *match, char sentence[SENTENCE_BYTES]) {
  int32_t first = 0;
  const int32_t moved = count_known(match, count, SHARD_MOVED, &first);
  *sentence = '\0';
  if (moved == 0) return;
  snprintf(sentence, SENTENCE_BYTES,
           "%d shard%s %s at another path than before, and %s not embedded again: %s has the content of "
           "%s, which is there no more%s",
           moved, moved == 1 ? "" : "s", moved == 1 ? "is" : "are", moved == 1 ? "is" : "are",
           given[first].path, list->shard[match[first].listed].path, moved == 1 ? "" : ", …");
}

void shards_describe_copies(const struct shard_list *list, const struct shard *given, int32_t count,
                            const struct shard_match *match, char sentence[SENTENCE_BYTES]) {
  int32_t first = 0;
  const int32_t copies = count_known(match, count, SHARD_COPY, &first);
  *sentence = '\0';
  if (copies == 0) return;
  snprintf(sentence, SENTENCE_BYTES,
           "warning: %d new shard%s the content of one that is embedded already, and will be embedded too: "
           "%s has the content of %s%s",
           copies, copies == 1 ? " has" : "s have", given[first].path, list->shard[match[first].listed].path,
           copies == 1 ? "" : ", …");
}
