#include "host/cli/answers.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/cli/human.h"
#include "host/cli/say.h"

#define PLACE_COLUMNS 13 /* columns for rank and cosine */
#define ID_COLUMNS 14    /* columns for an id: most ids fit, so texts begin in one column */
#define ID_COLUMNS_MAX 40
#define SHOWN_KEPT ((size_t)1 << 20)

void answers_init(struct answers *answers, const struct search_info *info, bool json, bool quiet) {
  struct winsize window;
  *answers = (struct answers){.json = json,
                              .quiet = quiet,
                              .heading = true,
                              .width = info->width,
                              .rescore = info->rescore,
                              .tokens = info->tokens,
                              .last = -1,
                              .columns = ANSWER_COLUMNS};
  if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
    answers->columns = window.ws_col;
}

void answers_free(struct answers *answers) {
  text_free(&answers->line);
}

/* Adds at most `most` characters to a line: each white space, and each character that could steer the
 * terminal, becomes one space. Returns how many characters it added. (A character that is two columns wide,
 * such as Chinese, counts as one; the terminal then wraps the line.) */
static int shown_add(struct text *shown, const struct span *text, int most) {
  int count = 0;
  for (int64_t i = 0; i < text->length && count < most; count++) {
    bool printable;
    const size_t length = say_character(text->bytes + i, (size_t)(text->length - i), &printable);
    text_append(shown, printable ? text->bytes + i : " ", printable ? length : 1);
    i += (int64_t)length;
  }
  return count;
}

/* Prints `count` characters if there is room for all. If not, cuts after a whole word, or inside a word that
 * is longer than half the room. Returns how many columns it used. */
static int shown_print(const struct text *shown, int count, int room) {
  if (room < 1) return 0;
  if (count <= room) {
    fwrite(shown->bytes, 1, shown->size, stdout);
    return count;
  }
  size_t end = 0, word = 0;
  int taken = 0, used = room - 1;
  while (taken < room - 1) {
    if (shown->bytes[end] == ' ' && 2 * taken >= room) {
      word = end;
      used = taken;
    }
    do end++;
    while (end < shown->size && (shown->bytes[end] & 0xc0) == 0x80);
    taken++;
  }
  fwrite(shown->bytes, 1, word ? word : end, stdout);
  if (word) putchar(' ');
  fputs("…", stdout);
  return used + 1 + (word > 0);
}

/* Prints the id in its column; the column is narrower on a narrow terminal. *used: how many columns it took.
 * False if memory is short; answers->line.failed then stays set. */
static bool print_id(struct answers *answers, const struct span *id, int *used) {
  struct text *shown = &answers->line;
  const int most = answers->columns < 80 ? (answers->columns - PLACE_COLUMNS) / 2 : ID_COLUMNS_MAX;
  text_clear(shown, SHOWN_KEPT);
  const int count = shown_add(shown, id, most + 1);
  *used = shown->failed ? 0 : shown_print(shown, count, most);
  return !shown->failed;
}

/* Prints title, colon and text, as far as there is room. False as above. */
static bool print_text(struct answers *answers, const struct passage *passage, int room) {
  static const struct span colon = {": ", 2};
  struct text *shown = &answers->line;
  int count = 0;
  text_clear(shown, SHOWN_KEPT);
  if (passage->title.length > 0) {
    count = shown_add(shown, &passage->title, room + 1);
    count += shown_add(shown, &colon, 2);
  }
  if (count <= room) count += shown_add(shown, &passage->text, room + 1 - count);
  if (!shown->failed) shown_print(shown, count, room);
  return !shown->failed;
}

static void print_answer(struct answers *answers, const struct search_answer *answer) {
  const struct passage *passage = answer->passage;
  printf("%3d. %.4f  ", answer->rank, answer->cosine);
  int used;
  if (!print_id(answers, &passage->id, &used)) return;
  const int padding = answers->columns < 80 || used > ID_COLUMNS ? 2 : ID_COLUMNS + 2 - used;
  printf("%*s", padding, "");
  used += PLACE_COLUMNS + padding;
  if (passage->text.bytes) {
    if (!print_text(answers, passage, answers->columns - used)) return;
  } else {
    printf("[shard %d, line %lld]", passage->shard, (long long)passage->line);
    if (answers->textless++ == 0) snprintf(answers->why, sizeof answers->why, "%s", passage->missing);
  }
  putchar('\n');
}

static void print_why(struct answers *answers) {
  char count[48];
  human_counted(answers->textless, "answer", "answers", count);
  say_line(stdout, "no text for %s%s: %s", count, answers->textless > 1 ? "; the first" : "", answers->why);
  answers->why_told = true;
}

static void warn_truncated(const struct answers *answers) {
  const char *first = answers->question[answers->truncated_first];
  const size_t length = strlen(first), shown = text_cut(first, length, QUESTION_SHOWN);
  char count[48];
  human_counted(answers->truncated, "question is", "questions are", count);
  say("warning: %s longer than the %d tokens that the model reads, and only the beginning was read%s "
      "\"%.*s%s\"",
      count, answers->tokens, answers->truncated > 1 ? "; the first is" : ":", (int)shown, first,
      shown < length ? "…" : "");
}

static void append_span(struct text *line, const char *key, const struct span *span) {
  if (!span->bytes) return;
  text_append_string(line, key);
  text_append_json(line, span->bytes, (size_t)span->length);
}

static void append_count(struct text *line, const char *key, int64_t count) {
  text_append_string(line, key);
  text_append_integer(line, count);
}

static void append_answer(struct text *line, const struct search_answer *answer) {
  const struct passage *passage = answer->passage;
  char cosine[32];
  append_count(line, answer->rank > 1 ? ",{\"rank\":" : "{\"rank\":", answer->rank);
  snprintf(cosine, sizeof cosine, ",\"cosine\":%.9g", answer->cosine);
  text_append_string(line, cosine);
  if (passage->id_is_integer) {
    text_append_string(line, ",\"id\":");
    text_append(line, passage->id.bytes, (size_t)passage->id.length);
  } else {
    append_span(line, ",\"id\":", &passage->id);
  }
  append_count(line, ",\"shard\":", passage->shard);
  append_count(line, ",\"line\":", passage->line);
  if (passage->is_chunk) {
    append_count(line, ",\"chunk\":", passage->chunk);
    append_count(line, ",\"start\":", passage->start);
    append_count(line, ",\"end\":", passage->end);
  }
  append_span(line, ",\"title\":", &passage->title);
  append_span(line, ",\"text\":", &passage->text);
  if (*passage->missing) {
    text_append_string(line, ",\"no_text\":");
    text_append_json(line, passage->missing, strlen(passage->missing));
  }
  text_append_string(line, "}");
}

/* Prints the question's object once its answers are complete. */
static void json_end(struct answers *answers) {
  if (answers->last < 0 || answers->line.failed) return;
  text_append_string(&answers->line, "]}\n");
  if (answers->line.failed) return;
  fwrite(answers->line.bytes, 1, answers->line.size, stdout);
  text_clear(&answers->line, SHOWN_KEPT);
}

static void question_begin(struct answers *answers, int64_t number, bool truncated) {
  const char *question = answers->question[number];
  if (answers->json) {
    json_end(answers);
    text_append_string(&answers->line, "{\"question\":");
    text_append_json(&answers->line, question, strlen(question));
    append_count(&answers->line, ",\"width\":", answers->width);
    if (answers->rescore) append_count(&answers->line, ",\"rescore\":", answers->rescore);
    if (truncated) text_append_string(&answers->line, ",\"truncated\":true");
    text_append_string(&answers->line, ",\"answers\":[");
  } else if (answers->heading) {
    if (answers->headed) putchar('\n');
    say_line(stdout, "%s", question);
    answers->headed = true;
  }
  answers->last = number;
  if (truncated && answers->truncated++ == 0) answers->truncated_first = number;
}

void answers_none(struct answers *answers, int64_t count) {
  for (int64_t q = 0; q < count; q++) {
    question_begin(answers, q, false);
    if (!answers->json) say_line(stdout, "no passage matches --where");
  }
}

bool answers_take(void *context, const struct search_answer *answer) {
  struct answers *answers = context;
  if (answer->question != answers->last) question_begin(answers, answer->question, answer->truncated);
  if (answers->json)
    append_answer(&answers->line, answer);
  else
    print_answer(answers, answer);
  return !answers->line.failed && !ferror(stdout);
}

bool answers_end(struct answers *answers, struct error *error) {
  if (answers->json) json_end(answers);
  if (answers->textless > 0 && !answers->why_told) print_why(answers);
  if (answers->line.failed) return error_set_memory(error, answers->line.size, "the answers");
  if (answers->truncated > 0 && !answers->quiet) warn_truncated(answers);
  answers->last = -1;
  answers->truncated = 0;
  fflush(stdout);
  if (ferror(stdout))
    return error_set(error, ERROR_IO, "the answers could not be written to standard output");
  return true;
}
