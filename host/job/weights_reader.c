#include "host/job/weights_reader.h"

#include <string.h>

bool weights_reader_choose(struct ranks *ranks, const struct model *model, bool *reads, struct error *error) {
  const int32_t rank = ranks_rank(ranks), machine = ranks_place_of(ranks, rank)->machine;
  char mine[MODEL_FILES_TEXT];
  char **files;
  *reads = true;
  if (!ranks_agree(ranks, model_files_print(model, mine, error), error) ||
      !ranks_gather(ranks, mine, &files, error))
    return false;
  for (int32_t other = machine; *reads && other < rank; other++)
    *reads = ranks_place_of(ranks, other)->machine != machine || strcmp(files[other], mine) != 0;
  ranks_texts_free(ranks, files);
  return true;
}
