#include "host/job/notice.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_BYTES 1400 /* an error sentence and the words around */

static void notice_say(const struct embed_callbacks *callbacks, const char *name, const char *format,
                       va_list arguments) {
  char sentence[SENTENCE_BYTES];
  const size_t length = (size_t)snprintf(sentence, sizeof sentence, "%s", name);
  vsnprintf(sentence + length, sizeof sentence - length, format, arguments);
  callbacks->notice(callbacks->context, sentence);
}

void notice(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...) {
  const int32_t rank = ranks_rank(ranks);
  char name[128] = "";
  va_list arguments;
  if (rank > 0) snprintf(name, sizeof name, "rank %d on %s: ", rank, ranks_place_of(ranks, rank)->host);
  va_start(arguments, format);
  notice_say(callbacks, name, format, arguments);
  va_end(arguments);
}

void notice_once(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format,
                 ...) {
  va_list arguments;
  if (ranks_rank(ranks) > 0) return;
  va_start(arguments, format);
  notice_say(callbacks, "", format, arguments);
  va_end(arguments);
}

void notice_missing_fields(const struct embed_callbacks *callbacks, const struct ranks *ranks,
                           const struct missing_fields *missing) {
  struct text sentence = {0};
  missing_fields_describe(missing, &sentence);
  if (sentence.size > 0 && !sentence.failed)
    notice(callbacks, ranks, "%.*s", (int)sentence.size, sentence.bytes);
  text_free(&sentence);
}
