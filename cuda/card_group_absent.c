/* Replaces card_group.c in a build without NCCL. */
#include "cuda/card_group.h"

static bool absent(struct error *error) {
  return error_set(
      error, ERROR_UNSUPPORTED,
      "this nina was built without NCCL: build it where NCCL's header is (cmake -DNINA_NCCL=ON)");
}

bool card_group_library(char version[32], struct error *error) {
  version[0] = '\0';
  return absent(error);
}

bool card_group_name(char name[CARD_GROUP_NAME_MAX], struct error *error) {
  name[0] = '\0';
  return absent(error);
}

struct card_group *card_group_open(const char *name, int32_t device, int32_t member, int32_t members,
                                   struct error *error) {
  (void)name;
  (void)device;
  (void)member;
  (void)members;
  absent(error);
  return NULL;
}

bool card_group_broadcast(struct card_group *group, void *memory, size_t bytes, struct error *error) {
  (void)group;
  (void)memory;
  (void)bytes;
  return absent(error);
}

void card_group_close(struct card_group *group) {
  (void)group;
}
