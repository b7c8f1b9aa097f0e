#include "host/job/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef void say_fn(void *context, const char *sentence);

/* Says a sentence after the rank's name; rank 0's sentences have no name. */
static void notice_say(const struct embed_callbacks *callbacks, say_fn *say, const struct ranks *ranks,
                       const char *format, va_list arguments) {
  char sentence[SENTENCE_BYTES] = "";
  const int32_t rank = ranks_rank(ranks);
  if (rank > 0)
    snprintf(sentence, sizeof sentence, "rank %d on %s: ", rank, ranks_place_of(ranks, rank)->host);
  const size_t length = strlen(sentence);
  vsnprintf(sentence + length, sizeof sentence - length, format, arguments);
  say(callbacks->context, sentence);
}

void notice(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  notice_say(callbacks, callbacks->notice, ranks, format, arguments);
  va_end(arguments);
}

void notice_failure(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format,
                    ...) {
  va_list arguments;
  va_start(arguments, format);
  notice_say(callbacks, callbacks->failure, ranks, format, arguments);
  va_end(arguments);
}

void notice_once(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format,
                 ...) {
  va_list arguments;
  if (ranks_rank(ranks) > 0) return;
  va_start(arguments, format);
  notice_say(callbacks, callbacks->notice, ranks, format, arguments);
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
