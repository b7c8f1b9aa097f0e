#include "host/model/id_list.h"

#include <stdlib.h>

void id_list_free(struct id_list *list) {
  free(list->id);
  *list = (struct id_list){0};
}

bool id_list_reserve(struct id_list *list, size_t more, struct error *error) {
  if (list->capacity - list->count >= more) return true;
  const size_t capacity = list->count + more + more / 2 + 256;
  int32_t *grown = realloc(list->id, capacity * sizeof *grown);
  if (!grown) return error_set_memory(error, capacity * sizeof *grown, "the ids of a word");
  list->id = grown;
  list->capacity = capacity;
  return true;
}

bool id_list_put(struct id_list *list, int32_t id, struct error *error) {
  if (!id_list_reserve(list, 1, error)) return false;
  list->id[list->count++] = id;
  return true;
}
