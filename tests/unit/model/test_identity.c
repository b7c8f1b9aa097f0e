/* Which model a run used: if something can change a row, it changes the identity and has a name. The model's
 * own name changes nothing. */
#include "host/model/identity.h"
#include "tests/unit/model/tiny_model.h"
#include "tests/unit/model/tiny_tokenizer.h"

static char *whole_folder(void) {
  char *folder = tiny_folder();
  tiny_tokenizer(folder, "PreTrainedTokenizerFast");
  return folder;
}

static struct model_identity identity_of(const char *folder) {
  struct error error = {0};
  struct model_identity identity;
  struct model *model = model_open(folder, &error);
  if (!model) fail_msg("%s", error.message);
  struct tokenizer *tokenizer = tokenizer_open(model->config.modules.transformer, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  if (!identity_make(model, tokenizer, &identity, &error)) fail_msg("%s", error.message);
  tokenizer_close(tokenizer);
  model_close(model);
  return identity;
}

static void a_folder_of_another_name_has_the_same_identity(void **state) {
  (void)state;
  char *one = whole_folder(), *other = whole_folder(), text[200];
  const struct model_identity first = identity_of(one), second = identity_of(other);
  assert_string_not_equal(first.name, second.name);
  assert_int_equal(strlen(first.hash), 32);
  assert_string_equal(first.hash, second.hash);
  assert_int_equal(model_identity_differences(&first, "then", &second, "now", text, sizeof text), 0);
  folder_remove(one);
  folder_remove(other);
}

/* Manifests store this hash, so it must stay the same in every version. */
static void the_hash_of_members_stays(void **state) {
  (void)state;
  struct model_identity identity = {0};
  model_identity_string(&identity, "type", "bert");
  model_identity_integer(&identity, "layers", 12);
  model_identity_flag(&identity, "include_prompt", true);
  model_identity_seal(&identity);
  assert_string_equal(identity.hash, "9046d187f6b9689f85f1941cad2b8436");
}

static void whatever_decides_a_row_is_compared_and_named(void **state) {
  (void)state;
  static const struct {
    const char *file, *change, *named;
  } cases[] = {
      {"config.json", "{\"model_type\": \"roberta\"}", "type: \"xlm-roberta\" then, \"roberta\" now"},
      {"config.json", "{\"num_hidden_layers\": 1}", "layers: 2 then, 1 now"},
      {"config.json", "{\"num_attention_heads\": 4}", "heads: 2 then, 4 now"},
      {"config.json", "{\"layer_norm_eps\": 1e-12}", "layer_norm_eps: \"1e-05\" then, \"1e-12\" now"},
      {"config.json", "{\"layer_norm_eps\": 1.000001e-5}",
       "layer_norm_eps: \"1e-05\" then, \"1.000001e-05\" now"},
      {"config.json", "{\"pad_token_id\": 0}", "first_position: 2 then, 1 now"},
      {"1_Pooling/config.json", "{\"pooling_mode\": \"mean\"}", "pooling: \"cls\" then, \"mean\" now"},
      {"1_Pooling/config.json", "{\"pooling_mode\": \"mean\", \"include_prompt\": false}",
       "pooling: \"cls\" then, \"mean\" now; include_prompt: true then, false now"},
      {"1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}",
       "pooling: \"cls\" then, \"cls+mean\" now"},
      {"tokenizer.json", "{\"added_tokens\": []}", "tokenizer: \""},
  };
  char *folder = whole_folder(), text[400];
  const struct model_identity then = identity_of(folder);
  folder_remove(folder);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder = whole_folder();
    folder_change(folder, cases[i].file, cases[i].change);
    const struct model_identity now = identity_of(folder);
    assert_string_not_equal(then.hash, now.hash);
    assert_true(model_identity_differences(&then, "then", &now, "now", text, sizeof text) > 0);
    if (strncmp(text, cases[i].named, strlen(cases[i].named)) != 0)
      fail_msg("case %zu: \"%s\" is to begin with \"%s\"", i, text, cases[i].named);
    folder_remove(folder);
  }
}

static void other_weights_are_another_model(void **state) {
  (void)state;
  char *folder = whole_folder(), text[400];
  const struct model_identity then = identity_of(folder);
  struct tiny_tensor tensors[TINY_TENSORS];
  tiny_tensors("", tensors);
  tiny_safetensors(folder, "model.safetensors", tensors, 0, TINY_TENSORS, "F32", 4, 1);
  const struct model_identity now = identity_of(folder);
  assert_string_not_equal(then.hash, now.hash);
  assert_int_equal(model_identity_differences(&then, "then", &now, "now", text, sizeof text), 1);
  assert_memory_equal(text, "weights: ", 9);
  folder_remove(folder);
}

/* Also if the transformer is the same: the weights' hash covers every module's file. */
static void other_dense_modules_are_another_model(void **state) {
  (void)state;
  char *folder = whole_folder(), text[400];
  const struct model_identity plain = identity_of(folder);
  assert_null(model_identity_member(&plain, "dense_0"));
  tiny_dense(folder, 0);
  const struct model_identity then = identity_of(folder);
  assert_string_equal(model_identity_member(&then, "dense_0"), "\"8-4 Tanh\"");
  assert_string_not_equal(plain.hash, then.hash);
  tiny_dense(folder, 1);
  const struct model_identity other = identity_of(folder);
  assert_int_equal(model_identity_differences(&then, "then", &other, "now", text, sizeof text), 1);
  assert_memory_equal(text, "weights: ", 9);
  static const struct tiny_tensor weight_alone = {"linear.weight", 4, 8};
  tiny_dense(folder, 0);
  tiny_safetensors(folder, "2_Dense/model.safetensors", &weight_alone, 0, 1, "F32", 4, 0);
  folder_change(folder, "2_Dense/config.json",
                "{\"bias\": false, \"activation_function\": \"torch.nn.modules.activation.ReLU\"}");
  const struct model_identity now = identity_of(folder);
  assert_int_equal(model_identity_differences(&then, "then", &now, "now", text, sizeof text), 2);
  assert_non_null(strstr(text, "dense_0: \"8-4 Tanh\" then, \"8-4 ReLU without bias\" now"));
  folder_remove(folder);
}

static void an_identity_comes_back_from_json(void **state) {
  (void)state;
  char *folder = whole_folder(), text[200];
  struct error error = {0};
  struct model_identity read;
  const struct model_identity written = identity_of(folder);
  struct json_text printed = {0};
  model_identity_write(&written, NULL, JSON_ON_ONE_LINE, &printed);
  json_t *json = json_loadb(printed.text.bytes, printed.text.size, 0, NULL);
  json_text_free(&printed);
  assert_string_equal(json_string_value(json_object_get(json, "pooling")), "cls");
  assert_int_equal(json_integer_value(json_object_get(json, "heads")), 2);
  assert_true(json_is_true(json_object_get(json, "include_prompt")));
  assert_string_equal(json_string_value(json_object_get(json, "identity")), written.hash);
  assert_true(model_identity_from_json(json, &read, &error));
  assert_string_equal(read.name, written.name);
  assert_string_equal(read.hash, written.hash);
  assert_int_equal(model_identity_differences(&written, "then", &read, "now", text, sizeof text), 0);
  json_decref(json);
  json = json_pack("[]");
  assert_false(model_identity_from_json(json, &read, &error));
  json_decref(json);
  folder_remove(folder);
}

/* Earlier versions stored only two hashes: weights and tokenizer. */
static void an_older_run_is_compared_by_what_it_stored(void **state) {
  (void)state;
  char *folder = whole_folder(), text[200];
  struct error error = {0};
  struct model_identity then;
  const struct model_identity now = identity_of(folder);
  json_t *json = json_pack("{s:s, s:o}", "name", "some", "weights",
                           json_loads(model_identity_member(&now, "weights"), JSON_DECODE_ANY, NULL));
  assert_true(model_identity_from_json(json, &then, &error));
  assert_int_equal(model_identity_differences(&then, "then", &now, "now", text, sizeof text), 0);
  json_object_set_new(json, "tokenizer", json_string("0"));
  assert_true(model_identity_from_json(json, &then, &error));
  assert_int_equal(model_identity_differences(&then, "then", &now, "now", text, sizeof text), 1);
  assert_memory_equal(text, "tokenizer: \"0\" then, ", 21);
  json_decref(json);
  folder_remove(folder);
}

/* The run comes from a newer version, whose model has a member that this version does not know. */
static void a_member_of_one_side_alone_is_a_difference(void **state) {
  (void)state;
  struct model_identity then = {0}, now = {0};
  char text[200];
  model_identity_string(&then, "pooling", "cls");
  now = then;
  model_identity_string(&then, "dense", "tanh");
  model_identity_seal(&then);
  model_identity_seal(&now);
  assert_int_equal(model_identity_differences(&then, "then", &now, "now", text, sizeof text), 1);
  assert_string_equal(text, "dense: \"tanh\" then, nothing now");
  assert_int_equal(model_identity_differences(&now, "then", &then, "now", text, sizeof text), 1);
  assert_string_equal(text, "dense: nothing then, \"tanh\" now");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_folder_of_another_name_has_the_same_identity),
      cmocka_unit_test(the_hash_of_members_stays),
      cmocka_unit_test(whatever_decides_a_row_is_compared_and_named),
      cmocka_unit_test(other_weights_are_another_model),
      cmocka_unit_test(other_dense_modules_are_another_model),
      cmocka_unit_test(an_identity_comes_back_from_json),
      cmocka_unit_test(an_older_run_is_compared_by_what_it_stored),
      cmocka_unit_test(a_member_of_one_side_alone_is_a_difference),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
