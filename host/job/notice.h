/* Notices: one line for people each, through the callbacks of whoever started the command. */
#pragma once

#include "host/job/embed.h"

/* What this rank has to say; of any rank but the first, its name stands before the sentence. */
void notice(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What all ranks would say alike: the first one says it. */
void notice_once(const struct embed_callbacks *callbacks, const struct ranks *ranks, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
