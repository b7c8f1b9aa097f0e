#include "io/run/record_list.h"

#include <limits.h>
#include <stdlib.h>

#include "io/file.h"
#include "io/folder.h"
#include "io/run/layout.h"

void key_list_free(struct key_list *list) {
  free(list->key);
  *list = (struct key_list){0};
}

static int key_compare(const void *a, const void *b) {
  const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

bool key_list_add(struct key_list *list, uint64_t key, struct error *error) {
  const int64_t count = list->count;
  if ((count & (count - 1)) == 0) { /* room doubles at every power of two */
    const size_t bytes = (count ? 2 * (size_t)count : 1) * sizeof *list->key;
    uint64_t *larger = realloc(list->key, bytes);
    if (!larger) return error_set_memory(error, bytes, "a list of parts");
    list->key = larger;
  }
  list->key[list->count++] = key;
  return true;
}

bool key_list_has(const struct key_list *list, uint64_t key) {
  return list->count > 0 && bsearch(&key, list->key, (size_t)list->count, sizeof key, key_compare);
}

struct listing {
  struct key_list *list;
  int32_t shard_count;
};

static bool record_list_entry(void *context, const char *name, struct error *error) {
  const struct listing *listing = context;
  int32_t shard, block;
  if (!part_name_parse(RECORD_FOLDER, name, &shard, &block) || shard >= listing->shard_count) return true;
  return key_list_add(listing->list, part_key(shard, block), error);
}

bool record_list_read(const char *out, int32_t shard_count, struct key_list *list, struct error *error) {
  char *folder = file_join(out, RECORD_FOLDER);
  if (!folder) return error_set_memory(error, PATH_MAX, "a path");
  const bool ok = folder_visit(folder, record_list_entry, &(struct listing){list, shard_count}, error);
  if (list->count > 0) qsort(list->key, (size_t)list->count, sizeof *list->key, key_compare);
  free(folder);
  return ok;
}

bool records_visit(const char *out, int32_t shard_count, record_fn *visit, void *context,
                   struct error *error) {
  struct key_list list = {0};
  struct part_record record;
  bool ok = record_list_read(out, shard_count, &list, error);
  for (int64_t i = 0; ok && i < list.count; i++) {
    const bool readable =
        record_read(out, part_key_shard(list.key[i]), part_key_block(list.key[i]), &record, error);
    ok = readable ? visit(context, &record, error) : error->code == ERROR_INPUT;
  }
  key_list_free(&list);
  return ok;
}
