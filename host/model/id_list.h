/* A list of token ids that grows. A zeroed list is empty. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct id_list {
  int32_t *id; /* [count], room for `capacity` */
  size_t count, capacity;
};

void id_list_free(struct id_list *list);

/* Makes room for `more` ids after the last one. Returns false if memory is short. */
bool id_list_reserve(struct id_list *list, size_t more, struct error *error);

/* Appends an id. Returns false if memory is short. */
bool id_list_put(struct id_list *list, int32_t id, struct error *error);
