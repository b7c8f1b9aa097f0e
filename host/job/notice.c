#include "host/job/notice.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_BYTES 1400 /* an error sentence and the words around */
#define RANK_NAME_BYTES 128

typedef void say_fn(void *context, const char *sentence);

static void notice_say(const struct embed_callbacks *callbacks, say_fn *say, const char *name,
                       const char *format, va_list arguments) {
  char sentence[SENTENCE_BYTES];
  const size_t length = (size_t)snprintf(sentence, sizeof sentence, "%s", name);
  vsnprintf(sentence + length, sizeof sentence - length, format, arguments);
  say(callbacks->context, sentence);
}

/* A rank's name in front of its sentences; rank 0's have none. */
static void rank_name(const struct ranks *ranks, char name[RANK_NAME_BYTES]) {
  const int32_t rank = ranks_rank(ranks);
  *name = '\0';
  if (rank > 0) snprintf(name, RANK_NAME_BYTES, "rank %d on %s: ", rank, ranks_place_of(ranks, rank)->host);
}

void notice(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...) {
  char name[RANK_NAME_BYTES];
  va_list arguments;
  rank_name(ranks, name);
  va_start(arguments, format);
  notice_say(callbacks, callbacks->notice, name, format, arguments);
  va_end(arguments);
}

void notice_failure(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format,
                    ...) {
  char name[RANK_NAME_BYTES];
  va_list arguments;
  rank_name(ranks, name);
  va_start(arguments, format);
  notice_say(callbacks, callbacks->failure, name, format, arguments);
  va_end(arguments);
}

void notice_once(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format,
                 ...) {
  va_list arguments;
  if (ranks_rank(ranks) > 0) return;
  va_start(arguments, format);
  notice_say(callbacks, callbacks->notice, "", format, arguments);
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
