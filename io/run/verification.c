#include "io/run/verification.h"

#include <stdarg.h>
#include <stdio.h>

void finding_send(struct verification *verification, const struct finding *finding) {
  if (finding->kind == FINDING_MISSING || finding->kind == FINDING_DAMAGED ||
      finding->kind == FINDING_UNJUDGED)
    verification->losses++;
  verification->report(verification->context, finding);
}

void finding_report(struct verification *verification, enum finding_kind kind, enum repair repair,
                    const char *path, const char *format, ...) {
  char detail[SENTENCE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, sizeof detail, format, arguments);
  va_end(arguments);
  finding_send(verification, &(struct finding){kind, repair, path, detail, -1, -1});
}

void record_report(struct verification *verification, enum finding_kind kind, enum repair repair,
                   int32_t shard, int32_t block, const char *format, ...) {
  char detail[SENTENCE_BYTES], path[PART_PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, sizeof detail, format, arguments);
  va_end(arguments);
  record_path_format(path, shard, block);
  finding_send(verification, &(struct finding){kind, repair, path, detail, shard, block});
}

bool part_is_unread(const struct verification *verification, int32_t shard, int32_t block) {
  return key_list_has(&verification->unread, part_key(shard, block));
}
