#include "io/shell_word.h"

#include <stdio.h>
#include <string.h>

/* ASCII characters that mean themselves to every shell. Letters beyond ASCII do too. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";

static bool is_plain(const char *word) {
  if (*word == '\0') return false;
  for (; *word; word++)
    if (!((unsigned char)*word & 0x80) && !strchr(plain, *word)) return false;
  return true;
}

static bool is_control(char byte) {
  return (unsigned char)byte < 0x20 || byte == 0x7f;
}

static bool has_controls(const char *word) {
  for (; *word; word++)
    if (is_control(*word)) return true;
  return false;
}

/* Single quotes keep everything but a single quote. */
static void append_quoted(struct text *text, const char *word) {
  text_append_string(text, "'");
  for (; *word; word++) {
    if (*word == '\'')
      text_append_string(text, "'\\''");
    else
      text_append(text, word, 1);
  }
  text_append_string(text, "'");
}

/* The form of bash, zsh and ksh, and of POSIX since 2024. */
static void append_spelled(struct text *text, const char *word) {
  text_append_string(text, "$'");
  for (; *word; word++) {
    char spelled[8];
    if (*word == '\'' || *word == '\\')
      snprintf(spelled, sizeof spelled, "\\%c", *word);
    else
      snprintf(spelled, sizeof spelled, is_control(*word) ? "\\%03o" : "%c", (unsigned char)*word);
    text_append_string(text, spelled);
  }
  text_append_string(text, "'");
}

void text_append_word(struct text *text, const char *word) {
  if (*word == '-') text_append_string(text, "./");
  if (is_plain(word))
    text_append_string(text, word);
  else if (has_controls(word))
    append_spelled(text, word);
  else
    append_quoted(text, word);
}
