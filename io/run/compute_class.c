#include "io/run/compute_class.h"

#include <stdlib.h>
#include <string.h>

#include "io/run/fields.h"

#define MIXED "mixed"
#define NO_MODEL "null" /* the encoder whose rows are hashes */
#define CLASS(kind, member) FIELD(#member, kind, struct compute_class, member)

static const struct field fields[] = {
    {CLASS(FIELD_TEXT, encoder)},    {CLASS(FIELD_TEXT, precision)},
    {CLASS(FIELD_TEXT, isa)},        {CLASS(FIELD_TEXT, onednn)},
    {CLASS(FIELD_TEXT, onednn_isa)}, {CLASS(FIELD_TEXT, int8_plan)},
    {CLASS(FIELD_TEXT, card)},       {CLASS(FIELD_TEXT, compute_capability)},
    {CLASS(FIELD_TEXT, cublaslt)},   {CLASS(FIELD_TEXT, gemm_tuning)},
    {CLASS(FIELD_TEXT, reused)},     {CLASS(FIELD_OPTION, batch_tokens)},
};
static const struct field_table table = FIELD_TABLE(fields);

void compute_classes_free(struct compute_classes *classes) {
  free(classes->item);
  *classes = (struct compute_classes){0};
}

/* Orders classes member by member, as text (batch_tokens too), so the order matches the written text. */
static int class_order(const void *a, const void *b) {
  for (size_t i = 0; i < table.count; i++) {
    char texts[2][16];
    const char *one = (const char *)a + fields[i].offset, *other = (const char *)b + fields[i].offset;
    if (fields[i].kind == FIELD_OPTION) {
      snprintf(texts[0], sizeof texts[0], "%d", *(const int32_t *)(const void *)one);
      snprintf(texts[1], sizeof texts[1], "%d", *(const int32_t *)(const void *)other);
      one = texts[0];
      other = texts[1];
    }
    const int order = strcmp(one, other);
    if (order != 0) return order;
  }
  return 0;
}

bool compute_classes_add(struct compute_classes *classes, const struct compute_class *class,
                         struct error *error) {
  for (int32_t i = 0; i < classes->count; i++)
    if (class_order(&classes->item[i], class) == 0) return true;
  const size_t bytes = ((size_t)classes->count + 1) * sizeof *class;
  struct compute_class *larger = realloc(classes->item, bytes);
  if (!larger) return error_set_memory(error, bytes, "the compute classes");
  classes->item = larger;
  larger[classes->count++] = *class;
  qsort(larger, (size_t)classes->count, sizeof *larger, class_order);
  return true;
}

bool compute_classes_add_all(struct compute_classes *classes, const struct compute_classes *more,
                             struct error *error) {
  for (int32_t i = 0; i < more->count; i++)
    if (!compute_classes_add(classes, &more->item[i], error)) return false;
  return true;
}

struct compute_class compute_classes_shared(const struct compute_classes *classes) {
  if (classes->count == 1) return classes->item[0];
  return (struct compute_class){.batch_tokens = classes->count ? classes->item[0].batch_tokens : 0};
}

struct compute_class compute_class_of_rows(const struct compute_class *class) {
  struct compute_class rows = *class;
  memset(rows.reused, 0, sizeof rows.reused);
  if (strcmp(rows.encoder, "cuda") != 0) rows.batch_tokens = 0;
  return rows;
}

static bool has_model(const struct compute_class *class) {
  return strcmp(class->encoder, NO_MODEL) != 0;
}

const struct compute_class *compute_classes_clash(const struct compute_classes *a,
                                                  const struct compute_classes *b) {
  for (int32_t i = 0; i < a->count; i++)
    for (int32_t k = 0; k < b->count; k++)
      if (has_model(&a->item[i]) != has_model(&b->item[k])) return &a->item[i];
  return NULL;
}

bool compute_classes_equal(const struct compute_classes *a, const struct compute_classes *b) {
  bool equal = a->count == b->count;
  for (int32_t i = 0; equal && i < a->count; i++) equal = class_order(&a->item[i], &b->item[i]) == 0;
  return equal;
}

/* Writes the value of "mixed". */
static void mixed_write(const struct compute_classes *classes, const char *key, struct json_text *json) {
  json_text_open(json, key, '[', JSON_ON_ONE_LINE);
  for (int32_t i = 0; i < classes->count; i++) {
    json_text_open(json, NULL, '{', JSON_ON_ONE_LINE);
    fields_write(&table, &classes->item[i], json);
    json_text_close(json, '}');
  }
  json_text_close(json, ']');
}

void compute_classes_write(const struct compute_classes *classes, const char *key, enum json_layout layout,
                           struct json_text *json) {
  json_text_open(json, key, '{', layout);
  if (classes->count == 1) fields_write(&table, &classes->item[0], json);
  if (classes->count > 1) mixed_write(classes, MIXED, json);
  json_text_close(json, '}');
}

static bool class_read(const json_t *object, const char *path, struct compute_classes *classes,
                       struct error *error) {
  struct compute_class class = {0};
  return fields_read(&table, path, true, object, &class, error) &&
         compute_classes_add(classes, &class, error);
}

bool compute_classes_read(const json_t *object, const char *path, struct compute_classes *classes,
                          struct error *error) {
  const json_t *mixed = json_object_get(object, MIXED), *class;
  size_t i;
  if (!mixed) return class_read(object, path, classes, error);
  json_array_foreach(mixed, i, class) if (!class_read(class, path, classes, error)) return false;
  return classes->count > 1 || error_set(error, ERROR_INPUT, "%s" MIXED " is not a list of classes", path);
}

/* The object on one line, with a NUL at its end; NULL if memory is short. The caller frees it. */
static const char *classes_text(const struct compute_classes *classes, struct json_text *json) {
  compute_classes_write(classes, NULL, JSON_ON_ONE_LINE, json);
  text_append(&json->text, "", 1);
  return json->text.failed ? NULL : json->text.bytes;
}

bool compute_classes_compare(const char *path, const struct compute_classes *then,
                             const struct compute_classes *now, struct difference *difference) {
  struct json_text texts[2] = {0};
  if (then->count == 1 && now->count == 1)
    return fields_compare(&table, path, &then->item[0], &now->item[0], difference);
  const char *one = classes_text(then, &texts[0]), *other = classes_text(now, &texts[1]);
  const bool ok = one && other;
  if (ok) difference_add(difference, path, one, other);
  json_text_free(&texts[0]);
  json_text_free(&texts[1]);
  return ok;
}

bool compute_classes_describe(const struct compute_classes *classes, compute_class_fn *visit, void *context) {
  struct json_text json = {.compact = true};
  if (classes->count == 0) return true;
  if (classes->count == 1) return fields_visit(&table, &classes->item[0], visit, context);
  mixed_write(classes, NULL, &json);
  text_append(&json.text, "", 1);
  const bool ok = !json.text.failed;
  if (ok) visit(context, MIXED, json.text.bytes);
  json_text_free(&json);
  return ok;
}
