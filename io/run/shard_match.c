#include "io/run/shard_match.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/look.h"
#include "io/text.h"

enum presence { PRESENCE_UNKNOWN, PRESENT, ABSENT };

struct matching {
  const struct shard_list *list;
  const struct shard *given;
  int32_t count;
  struct shard_match *match; /* [count] */
  bool *taken;               /* [list->count] */
  unsigned char *presence;   /* [list->count], enum presence: whether the path leads to the content */
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
static char *key_of_file(const struct shard *shard, bool *none) {
  struct look look;
  *none = shard->size < 0 || !is_found(shard->path, &look);
  return *none ? NULL
               : text_format("%" PRIu64 " %" PRIu64 " %" PRId64 " %s", look.device, look.inode, shard->size,
                             shard->fingerprint);
}

static char *key_of_content(const struct shard *shard, bool *none) {
  *none = shard->size < 0;
  return *none ? NULL : text_format("%" PRId64 " %s", shard->size, shard->fingerprint);
}

static bool memory_short(struct error *error) {
  return error_set_memory(error, PATH_MAX, "the shards' keys");
}

/* Adds a number to a key's array. Paths may be any bytes: keys are not checked. */
static bool index_add(json_t *index, const char *key, int32_t number) {
  json_t *numbers = json_object_get(index, key);
  if (!numbers && json_object_set_new_nocheck(index, key, numbers = json_array()) != 0) return false;
  return json_array_append_new(numbers, json_integer(number)) == 0;
}

/* Key → numbers of the list's shards that have it and are not taken. NULL if memory is short. */
static json_t *index_make(const struct matching *matching, key_fn *key_of, bool with_taken) {
  json_t *index = json_object();
  bool ok = index != NULL;
  for (int32_t i = 0; ok && i < matching->list->count; i++) {
    bool none;
    if (matching->taken[i] && !with_taken) continue;
    char *key = key_of(&matching->list->shard[i], &none);
    ok = none || (key && index_add(index, key, i));
    free(key);
  }
  if (ok) return index;
  json_decref(index);
  return NULL;
}

/* The list's shards with the given shard's key; NULL with ok: there are none. */
static const json_t *index_find(const json_t *index, key_fn *key_of, const struct shard *given, bool *ok) {
  bool none;
  char *key = key_of(given, &none);
  *ok = key || none;
  const json_t *numbers = key ? json_object_get(index, key) : NULL;
  free(key);
  return numbers;
}

static void match_take(struct matching *matching, int32_t given, enum shard_known known, int32_t listed) {
  matching->match[given] = (struct shard_match){known, listed};
  matching->taken[listed] = true;
}

static bool match_by(struct matching *matching, key_fn *key_of, struct error *error) {
  json_t *index = index_make(matching, key_of, false);
  bool ok = index != NULL;
  for (int32_t g = 0; ok && g < matching->count; g++) {
    if (matching->match[g].known != SHARD_NEW) continue;
    const json_t *numbers = index_find(index, key_of, &matching->given[g], &ok), *number;
    size_t i;
    json_array_foreach(numbers, i, number) {
      const int32_t listed = (int32_t)json_integer_value(number);
      if (matching->taken[listed]) continue;
      match_take(matching, g, SHARD_LISTED, listed);
      break;
    }
  }
  json_decref(index);
  return ok || memory_short(error);
}

/* Whether the path of the list's shard leads to the shard's content. */
static bool presence_look(struct matching *matching, int32_t listed, struct error *error) {
  const struct shard *shard = &matching->list->shard[listed];
  struct shard now = {.path = shard->path};
  struct look look;
  if (matching->presence[listed] != PRESENCE_UNKNOWN) return true;
  if (!look_at(shard->path, &look, error)) return false;
  bool present = look.kind == LOOK_FILE && look.size == shard->size;
  if (present && !shard_examine(&now, error)) return false;
  present = present && now.size == shard->size && strcmp(now.fingerprint, shard->fingerprint) == 0;
  matching->presence[listed] = present ? PRESENT : ABSENT;
  return true;
}

/* Whether both are one file. A key may have failed to tell: before a shard is called a copy, an error counts.
 */
static bool file_compare(const struct matching *matching, int32_t given, int32_t listed, bool *same,
                         struct error *error) {
  struct look one, other;
  if (!look_at(matching->given[given].path, &one, error) ||
      !look_at(matching->list->shard[listed].path, &other, error))
    return false;
  *same = look_is_same(&one, &other);
  return true;
}

/* An empty shard is nobody's copy. */
static bool match_content(struct matching *matching, int32_t given, const json_t *numbers,
                          struct error *error) {
  const json_t *number;
  size_t i;
  json_array_foreach(numbers, i, number) {
    const int32_t listed = (int32_t)json_integer_value(number);
    if (matching->taken[listed]) continue;
    if (!presence_look(matching, listed, error)) return false;
    const bool absent = matching->presence[listed] == ABSENT;
    bool same = false;
    if (!absent && matching->given[given].size > 0 && !file_compare(matching, given, listed, &same, error))
      return false;
    if (!absent && !same) continue;
    match_take(matching, given, absent ? SHARD_MOVED : SHARD_LISTED, listed);
    return true;
  }
  if (matching->given[given].size > 0)
    matching->match[given] =
        (struct shard_match){SHARD_COPY, (int32_t)json_integer_value(json_array_get(numbers, 0))};
  return true;
}

static bool match_by_content(struct matching *matching, struct error *error) {
  json_t *index = index_make(matching, key_of_content, true);
  bool had = index != NULL, ok = had || memory_short(error);
  for (int32_t g = 0; ok && g < matching->count; g++) {
    if (matching->match[g].known != SHARD_NEW) continue;
    const json_t *numbers = index_find(index, key_of_content, &matching->given[g], &had);
    ok = had ? !numbers || match_content(matching, g, numbers, error) : memory_short(error);
  }
  json_decref(index);
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
  bool ok = (matching.taken && matching.presence) || memory_short(error);
  for (int32_t g = 0; g < count; g++) match[g] = (struct shard_match){SHARD_NEW, -1};
  for (size_t k = 0; ok && k < sizeof keys / sizeof *keys && some_are_new(&matching); k++)
    ok = match_by(&matching, keys[k], error);
  ok = ok && (!some_are_new(&matching) || match_by_content(&matching, error));
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
                           const struct shard_match *match, char sentence[SHARD_SENTENCE_MAX]) {
  int32_t first = 0;
  const int32_t moved = count_known(match, count, SHARD_MOVED, &first);
  *sentence = '\0';
  if (moved == 0) return;
  snprintf(sentence, SHARD_SENTENCE_MAX,
           "%d shard%s %s at another path than before, and %s not embedded again: %.350s has the content of "
           "%.350s, which is there no more%s",
           moved, moved == 1 ? "" : "s", moved == 1 ? "is" : "are", moved == 1 ? "is" : "are",
           given[first].path, list->shard[match[first].listed].path, moved == 1 ? "" : ", …");
}

void shards_describe_copies(const struct shard_list *list, const struct shard *given, int32_t count,
                            const struct shard_match *match, char sentence[SHARD_SENTENCE_MAX]) {
  int32_t first = 0;
  const int32_t copies = count_known(match, count, SHARD_COPY, &first);
  *sentence = '\0';
  if (copies == 0) return;
  snprintf(sentence, SHARD_SENTENCE_MAX,
           "warning: %d new shard%s the content of one that is embedded already, and will be embedded too: "
           "%.350s has the content of %.350s%s",
           copies, copies == 1 ? " has" : "s have", given[first].path, list->shard[match[first].listed].path,
           copies == 1 ? "" : ", …");
}
