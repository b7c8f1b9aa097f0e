/* Prints where a run's time went (nina embed --profile), to standard error. */
#pragma once

#include "host/flow/flow.h"

/* A table for people: seconds, share of all work, and time per encoded token and row. */
void profile_print(const struct flow_times *times);

/* The same as one JSON object in one line: {"event":"profile","seconds":{…},"waiting":{…},…}. */
void profile_json(const struct flow_times *times);
