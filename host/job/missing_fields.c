#include "host/job/missing_fields.h"

#include <string.h>

#define NAMED 8   /* in a sentence */
#define SHOWN 100 /* bytes of a name */

void missing_fields_visit(const struct missing_fields *missing, missing_field_fn *visit, void *context) {
  const struct document_fields *fields = missing->fields;
  const int32_t kept = fields->kept ? fields->kept->count : 0;
  if (missing->documents == 0) return;
  if (fields->title && !missing->there.title) visit(context, "--title-field", fields->title);
  for (int32_t i = 0; i < kept; i++)
    if (!(missing->there.kept >> i & 1)) visit(context, "--keep-fields", fields->kept->field[i].path);
}

struct naming {
  struct text *sentence;
  int64_t documents;
  int32_t count;
};

static void name_append(void *context, const char *option, const char *name) {
  struct naming *naming = context;
  struct text *sentence = naming->sentence;
  const int32_t number = naming->count++;
  if (number > NAMED) return;
  if (number == NAMED) {
    text_append_string(sentence, ", …");
    return;
  }
  if (number == 0) {
    text_append_string(sentence, "warning: ");
    if (naming->documents > 1) {
      text_append_string(sentence, "none of the ");
      text_append_integer(sentence, naming->documents);
      text_append_string(sentence, " documents read has the field ");
    } else {
      text_append_string(sentence, "the one document read lacks the field ");
    }
  }
  text_append_string(sentence, number > 0 ? ", \"" : "\"");
  text_append(sentence, name, text_cut(name, strlen(name), SHOWN));
  text_append_string(sentence, "\" (");
  text_append_string(sentence, option);
  text_append_string(sentence, ")");
}

void missing_fields_describe(const struct missing_fields *missing, struct text *sentence) {
  struct naming naming = {.sentence = sentence, .documents = missing->documents};
  missing_fields_visit(missing, name_append, &naming);
  if (naming.count > 0)
    text_append_string(sentence, naming.count > 1 ? ": are they spelled so?" : ": is it spelled so?");
}
