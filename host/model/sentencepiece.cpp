extern "C" {
#include "host/model/sentencepiece.h"
}

#include <sentencepiece_processor.h>

#include <exception>
#include <new>
#include <string_view>
#include <vector>

static_assert(sizeof(int) == sizeof(int32_t), "sentencepiece's ids are handed on as int32_t");

struct piece_model {
  sentencepiece::SentencePieceProcessor processor;
};

struct piece_ids {
  std::vector<int> values;
};

/* Runs what may throw, and turns what it throws into an error. */
template <typename Work>
static bool guard(struct error *error, Work work) {
  try {
    return work();
  } catch (const std::bad_alloc &) {
    return error_set(error, ERROR_MEMORY, "out of memory in sentencepiece");
  } catch (const std::exception &exception) {
    return error_set(error, ERROR_INPUT, "sentencepiece: %s", exception.what());
  } catch (...) {
    return error_set(error, ERROR_INPUT, "sentencepiece threw an unknown exception");
  }
}

static bool status_check(const sentencepiece::util::Status &status, struct error *error) {
  return status.ok() || error_set(error, ERROR_INPUT, "sentencepiece: %s", status.error_message());
}

struct piece_model *piece_model_open(const void *bytes, size_t size, struct error *error) {
  struct piece_model *model = nullptr;
  const bool done = guard(error, [&] {
    model = new struct piece_model;
    const std::string_view serialised(static_cast<const char *>(bytes), size);
    /* Loading may succeed and leave a model that cannot encode: only its own status says so. */
    return status_check(model->processor.LoadFromSerializedProto(serialised), error) &&
           status_check(model->processor.status(), error);
  });
  if (done) return model;
  delete model;
  return nullptr;
}

void piece_model_close(struct piece_model *model) {
  delete model;
}

struct piece_ids *piece_ids_open(struct error *error) {
  auto *ids = new (std::nothrow) struct piece_ids;
  if (!ids) error_set_memory(error, sizeof *ids, "the ids of a word");
  return ids;
}

void piece_ids_close(struct piece_ids *ids) {
  delete ids;
}

bool piece_model_encode(const struct piece_model *model, const char *text, size_t length,
                        struct piece_ids *ids, const int32_t **result, size_t *count, struct error *error) {
  return guard(error, [&] {
    ids->values.clear();
    if (!status_check(model->processor.Encode(std::string_view(text, length), &ids->values), error))
      return false;
    *result = ids->values.data();
    *count = ids->values.size();
    return true;
  });
}
