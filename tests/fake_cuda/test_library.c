/* How cuBLASLt and NCCL are found. The build puts libraries with several versions into folders
 * (CMakeLists.txt), and builds cuda/library.c to look for major version 99, which no machine has. The loader
 * reads its path only when a process starts, and keeps a library once found. So this program starts itself
 * once for each question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/library.h"

static const char *self;

/* Prints the answer to `--say`: the version that was found, or the error sentence. */
static int say(const char *library) {
  struct error error = {.message = ""};
  int version = 0;
  if (strcmp(library, "cublaslt") == 0) {
    const struct cublaslt *cublaslt = cublaslt_library(&error);
    if (cublaslt) version = (int)cublaslt->cublasLtGetVersion();
  }
#ifdef NINA_NCCL
  if (strcmp(library, "nccl") == 0) {
    const struct nccl *nccl = nccl_library(&error);
    if (nccl) nccl->ncclGetVersion(&version);
  }
#endif
  if (version)
    printf("found %d.%d", version / 10000, version % 10000 / 100);
  else
    printf("%d %s", (int)error.code, error.message);
  return 0;
}

/* `environment`: the whole environment as assignments, with @ for the libraries' folder. */
static const char *asked(const char *library, const char *environment) {
  static char answer[2048];
  char command[4096], set[2048] = "";
  for (const char *at = environment; *at; at++) {
    const size_t used = strlen(set);
    if (*at == '@')
      snprintf(set + used, sizeof set - used, "%s", LIBRARY_FOLDER);
    else
      snprintf(set + used, sizeof set - used, "%c", *at);
  }
  snprintf(command, sizeof command, "env -i ASAN_OPTIONS=detect_leaks=0 %s '%s' --say %s", set, self,
           library);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  answer[fread(answer, 1, sizeof answer - 1, pipe)] = '\0';
  assert_int_equal(pclose(pipe), 0);
  return answer;
}

static void check_found(const char *environment, const char *version) {
  const char *answer = asked("cublaslt", environment);
  char expected[64];
  snprintf(expected, sizeof expected, "found %s", version);
  if (strcmp(answer, expected) != 0) fail_msg("%s: expected %s, got: %s", environment, expected, answer);
}

static void check_says(const char *answer, const char *phrase) {
  if (!strstr(answer, phrase)) fail_msg("\"%s\" is not in \"%s\"", phrase, answer);
}

static void library_is_found_wherever_it_may_lie(void **state) {
  (void)state;
  check_found("NINA_CUDA_LIBS=@/named", "99.1");
  check_found("LD_LIBRARY_PATH=@/loader", "99.2");
  check_found("CUDA_HOME=@/toolkit", "99.3");
  check_found("CUDA_PATH=@/toolkit", "99.3");
  check_found("VIRTUAL_ENV=@/python", "99.4");
  check_found("CONDA_PREFIX=@/python", "99.4");
  check_found("CONDA_PREFIX=@/conda", "99.5");
  check_found("HOME=@/home", "99.6");
}

static void places_are_asked_in_their_order(void **state) {
  (void)state;
  check_found("NINA_CUDA_LIBS=@/none::@/named:@/loader LD_LIBRARY_PATH=@/loader", "99.1");
  check_found("LD_LIBRARY_PATH=@/loader CUDA_HOME=@/toolkit VIRTUAL_ENV=@/python", "99.2");
  check_found("VIRTUAL_ENV=@/python CUDA_HOME=@/toolkit", "99.3");
  check_found("NINA_CUDA_LIBS=@/none VIRTUAL_ENV=@/python", "99.4");
}

static void library_of_another_major_version_is_passed_over(void **state) {
  (void)state;
  check_found("NINA_CUDA_LIBS=@/older LD_LIBRARY_PATH=@/loader", "99.2");
  check_says(asked("cublaslt", "NINA_CUDA_LIBS=@/older"), "/older/libcublasLt.so.99 is version 98.1");
}

static void library_that_lacks_a_function_is_passed_over(void **state) {
  (void)state;
  check_found("NINA_CUDA_LIBS=@/partial:@/named", "99.1");
  check_says(asked("cublaslt", "NINA_CUDA_LIBS=@/partial"), "libcublasLt.so.99 has no cublasLtMatmul");
}

static void file_that_is_no_library_is_passed_over(void **state) {
  (void)state;
  check_found("NINA_CUDA_LIBS=@/text:@/named", "99.1");
  check_says(asked("cublaslt", "NINA_CUDA_LIBS=@/text"), "/text/libcublasLt.so.99");
}

static void sentence_names_the_file_and_where_it_was_looked_for(void **state) {
  char device[8];
  const char *answer = asked("cublaslt", "NINA_CUDA_LIBS=/one:/two CUDA_HOME=/three VIRTUAL_ENV=/four");
  (void)state;
  snprintf(device, sizeof device, "%d ", (int)ERROR_DEVICE);
  check_says(answer, device);
  check_says(answer,
             "cuBLASLt 99 was not found: there is no libcublasLt.so.99 that will do in /one, /two, the "
             "loader's path");
  check_says(answer, "/three/lib64, /usr/local/cuda*/lib64, /four/lib*/python3*/*-packages/nvidia/*/lib");
  check_says(answer, "NINA_CUDA_LIBS can name its folder");
  check_says(asked("cublaslt", ""), "NINA_CUDA_LIBS (which is not set)");
}

static void nccl_is_found_in_the_same_way(void **state) {
  char io[8];
  (void)state;
  assert_string_equal(asked("nccl", "NINA_CUDA_LIBS=@/named"), "found 99.1");
  const char *answer = asked("nccl", "NINA_CUDA_LIBS=@/loader");
  snprintf(io, sizeof io, "%d ", (int)ERROR_IO);
  check_says(answer, io);
  check_says(answer, "NCCL 99 was not found: there is no libnccl.so.99 that will do in");
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(library_is_found_wherever_it_may_lie),
      cmocka_unit_test(places_are_asked_in_their_order),
      cmocka_unit_test(library_of_another_major_version_is_passed_over),
      cmocka_unit_test(library_that_lacks_a_function_is_passed_over),
      cmocka_unit_test(file_that_is_no_library_is_passed_over),
      cmocka_unit_test(sentence_names_the_file_and_where_it_was_looked_for),
      cmocka_unit_test(nccl_is_found_in_the_same_way),
  };
  if (argc == 3 && strcmp(argv[1], "--say") == 0) return say(argv[2]);
  self = argv[0];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
