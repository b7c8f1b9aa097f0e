/* Notices: one line each, for people, through the caller's callbacks. */
#pragma once

#include "host/job/embed.h"
#include "host/job/missing_fields.h"

/* A notice from this rank. Every rank but the first puts its name before the sentence. */
void notice(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of something that failed, for callers who do not want to hear of anything else too. */
void notice_failure(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

/* A warning if optional fields are missing in all documents. */
void notice_missing_fields(const struct embed_callbacks *callbacks, const struct ranks *ranks,
                           const struct missing_fields *missing);

/* A notice that is the same on all ranks: only the first rank gives it. */
void notice_once(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
