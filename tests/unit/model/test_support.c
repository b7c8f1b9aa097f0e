#include "host/model/support.h"

#include "tests/unit/model/folder.h"

#define TRANSFORMER                                                                                          \
  "[{\"path\": \"\", \"type\": \"sentence_transformers.Transformer\"}, {\"path\": \"1_Pooling\", \"type\": " \
  "\"sentence_transformers.Pooling\"}]"

static void model_of_another_kind_is_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *file, *text, *name;
  } cases[] = {
      {"config.json", "{\"model_type\": \"modernbert\"}", "ModernBERT"},
      {"config.json", "{\"model_type\": \"mpnet\"}", "MPNet"},
      {"config.json", "{\"model_type\": \"albert\"}", "ALBERT"},
      {"config.json", "{\"model_type\": \"nomic_bert\"}", "rotary positions"},
      {"config.json", "{\"model_type\": \"new\"}", "GTE"},
      {"config.json", "{\"model_type\": \"deberta-v2\"}", "DeBERTa"},
      {"config.json", "{\"model_type\": \"llama\"}", "a decoder's"},
      {"config.json", "{\"model_type\": \"qwen3\"}", "a decoder"},
      {"config.json", "{\"model_type\": \"mistral\"}", "a decoder"},
      {"config.json", "{\"model_type\": \"gemma3_text\"}", "a decoder"},
      {"config.json", "{\"model_type\": \"t5\"}", "an encoder with a decoder"},
      {"config.json", "{\"model_type\": \"clip\"}", "images"},
      {"modules.json", "[{\"path\": \"\", \"type\": \"a.CLIPModel\"}]", "module 0 is a.CLIPModel"},
      {"modules.json",
       "[{\"path\": \"\", \"type\": \"a.MLMTransformer\"}, {\"path\": \"p\", \"type\": \"a.SpladePooling\"}]",
       "sparse"},
      {"modules.json", "[{\"path\": \"\", \"type\": \"sentence_transformers.StaticEmbedding\"}]",
       "static embeddings"},
      {"config_sentence_transformers.json", "{\"model_type\": \"SparseEncoder\"}", "sparse"},
      {"config_sentence_transformers.json", "{\"model_type\": \"CrossEncoder\"}", "cross-encoder"},
      {"config_sentence_transformers.json", "{\"model_type\": \"MultiVectorEncoder\"}",
       "a vector for each token"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = folder_make();
    struct error error = {0};
    folder_put(folder, "modules.json", TRANSFORMER);
    folder_put(folder, cases[i].file, cases[i].text);
    assert_false(support_check(folder, &error));
    assert_int_equal(error.code, ERROR_UNSUPPORTED);
    if (!strstr(error.message, cases[i].file) || !strstr(error.message, cases[i].name) ||
        !strstr(error.message, SUPPORT_TABLE))
      fail_msg("%s", error.message);
    folder_remove(folder);
  }
}

static void transformer_in_a_folder_of_its_own_is_found(void **state) {
  (void)state;
  char *folder = folder_make();
  struct error error = {0};
  folder_put(folder, "modules.json",
             "[{\"path\": \"0_Transformer\", \"type\": \"sentence_transformers.Transformer\"}]");
  folder_put(folder, "0_Transformer/config.json", "{\"model_type\": \"mpnet\"}");
  assert_false(support_check(folder, &error));
  assert_non_null(strstr(error.message, "0_Transformer/config.json"));
  folder_remove(folder);
}

/* A scorer is told apart from an encoder that was trained from one. */
static void bare_folder_that_scores_is_no_encoder(void **state) {
  (void)state;
  char *folder = folder_make();
  struct error error = {0};
  folder_put(folder, "config.json",
             "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"]}");
  assert_false(support_check(folder, &error));
  assert_non_null(strstr(error.message, "BertForSequenceClassification"));
  assert_non_null(strstr(error.message, "no vectors"));
  folder_put(folder, "modules.json", TRANSFORMER);
  assert_true(support_check(folder, &error));
  folder_remove(folder);
}

static void what_is_not_known_passes(void **state) {
  (void)state;
  static const char *const texts[] = {"{\"model_type\": \"bert\"}", "{\"model_type\": \"other\"}",
                                      "{\"model_type\": 7}", "{}"};
  char *folder = folder_make();
  struct error error = {0};
  assert_true(support_check(folder, &error));
  folder_put(folder, "config_sentence_transformers.json", "{\"model_type\": \"SentenceTransformer\"}");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    folder_put(folder, "config.json", texts[i]);
    if (!support_check(folder, &error)) fail_msg("%s", error.message);
  }
  folder_put(folder, "config.json", "[]");
  assert_false(support_check(folder, &error));
  assert_error(&error, ERROR_INPUT, "config.json: it does not hold a JSON object");
  folder_put(folder, "config.json", "{}");
  folder_put(folder, "modules.json", TRANSFORMER);
  assert_true(support_check(folder, &error));
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(model_of_another_kind_is_refused_by_name),
      cmocka_unit_test(transformer_in_a_folder_of_its_own_is_found),
      cmocka_unit_test(bare_folder_that_scores_is_no_encoder),
      cmocka_unit_test(what_is_not_known_passes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
