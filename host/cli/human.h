/* Numbers in a form for people. */
#pragma once

#include <stdint.h>

/* 1234567 → "1,234,567". */
void human_count(int64_t count, char text[32]);

/* A count and its noun: "1 part", "1,234 parts". */
void human_counted(int64_t count, const char *one, const char *many, char text[48]);

/* Bytes with a binary unit: "3.4 MiB". */
void human_bytes(int64_t bytes, char text[32]);

/* A time span: "0.8 s", "45 s", "3:05", "12:03:05". */
void human_seconds(double seconds, char text[32]);
