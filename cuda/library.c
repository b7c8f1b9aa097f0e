#include "cuda/library.h"

#include <dlfcn.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/look.h"

#define PATH_MOST 1024

/* Both libraries number their versions 10000 · major + 100 · minor + patch. */
#define VERSION_MAJOR 10000
#define VERSION_MINOR 100

/* A library to load: its name, version and functions. */
struct wanted {
  const char *name; /* for people */
  const char *file;
  int major;
  const char *const *functions; /* [count] */
  size_t count;
  int (*version)(const void *table);
};

/* One search for a library. The error sentence lists the places searched and the files rejected. */
struct quest {
  const struct wanted *wanted;
  void *table; /* [wanted.count] addresses, in the same order as wanted.functions */
  char places[PATH_MOST], rejected[PATH_MOST];
};

static void list_append(char *list, size_t size, const char *item) {
  const size_t used = strlen(list);
  snprintf(list + used, size - used, "%s%.*s", used ? ", " : "", (int)(size - used), item);
}

/* Fills the table from an open library. False if the library lacks a function or has another version. */
static bool table_fill(struct quest *quest, void *library, const char *path) {
  const struct wanted *wanted = quest->wanted;
  char why[PATH_MOST + 64];
  for (size_t i = 0; i < wanted->count; i++) {
    void *function = dlsym(library, wanted->functions[i]);
    if (!function) {
      snprintf(why, sizeof why, "%s has no %s", path, wanted->functions[i]);
      list_append(quest->rejected, sizeof quest->rejected, why);
      return false;
    }
    memcpy((char *)quest->table + i * sizeof function, &function, sizeof function);
  }
  const int version = wanted->version(quest->table);
  if (version / VERSION_MAJOR == wanted->major) return true;
  snprintf(why, sizeof why, "%s is version %d.%d", path, version / VERSION_MAJOR,
           version % VERSION_MAJOR / VERSION_MINOR);
  list_append(quest->rejected, sizeof quest->rejected, why);
  return false;
}

/* Opens a file. If the path has no slash, the loader searches for the file. */
static bool library_try(struct quest *quest, const char *path) {
  void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (!library) {
    if (strchr(path, '/')) list_append(quest->rejected, sizeof quest->rejected, dlerror());
    return false;
  }
  if (table_fill(quest, library, path)) return true; /* the library stays open */
  dlclose(library);
  return false;
}

static bool folder_try(struct quest *quest, const char *folder) {
  char path[PATH_MOST];
  const int length = snprintf(path, sizeof path, "%s/%s", folder, quest->wanted->file);
  if (length >= PATH_MOST) return false;
  struct look look;
  struct error error;
  if (look_at(path, &look, &error)) return look.kind != LOOK_NOTHING && library_try(quest, path);
  list_append(quest->rejected, sizeof quest->rejected, error.message);
  return false;
}

/* Tries all folders that match the pattern `below` in `root`. If root is NULL or empty, there are none. */
static bool pattern_try(struct quest *quest, const char *root, const char *below) {
  char pattern[PATH_MOST];
  glob_t found = {0};
  bool ok = false;
  if (!root || !*root || snprintf(pattern, sizeof pattern, "%s/%s", root, below) >= PATH_MOST) return false;
  list_append(quest->places, sizeof quest->places, pattern);
  if (glob(pattern, 0, NULL, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc && !ok; i++) ok = folder_try(quest, found.gl_pathv[i]);
  globfree(&found);
  return ok;
}

static bool named_folders_try(struct quest *quest) {
  const char *list = getenv("NINA_CUDA_LIBS");
  bool ok = false;
  if (!list || !*list) {
    list_append(quest->places, sizeof quest->places, "NINA_CUDA_LIBS (which is not set)");
    return false;
  }
  char *folders = strdup(list), *rest = folders;
  for (char *folder; !ok && (folder = strsep(&rest, ":"));) {
    if (!*folder) continue;
    list_append(quest->places, sizeof quest->places, folder);
    ok = folder_try(quest, folder);
  }
  free(folders);
  return ok;
}

static bool toolkits_try(struct quest *quest) {
#ifdef NINA_CUDA_TOOLKIT
  if (pattern_try(quest, NINA_CUDA_TOOLKIT, ".")) return true;
#endif
  return pattern_try(quest, getenv("CUDA_HOME"), "lib64") ||
         pattern_try(quest, getenv("CUDA_PATH"), "lib64") || pattern_try(quest, "/usr/local", "cuda*/lib64");
}

static bool python_try(struct quest *quest) {
  static const char packages[] = "lib*/python3*/*-packages/nvidia/*/lib";
  const char *home = getenv("HOME");
  char local[PATH_MOST] = "";
  if (home && *home) snprintf(local, sizeof local, "%s/.local", home);
  return pattern_try(quest, getenv("VIRTUAL_ENV"), packages) ||
         pattern_try(quest, getenv("CONDA_PREFIX"), "lib") ||
         pattern_try(quest, getenv("CONDA_PREFIX"), packages) || pattern_try(quest, local, packages) ||
         pattern_try(quest, "/usr/local", packages) || pattern_try(quest, "/usr", packages);
}

static bool loader_try(struct quest *quest) {
  list_append(quest->places, sizeof quest->places, "the loader's path");
  return library_try(quest, quest->wanted->file);
}

static bool library_find(const struct wanted *wanted, void *table, enum error_code code,
                         struct error *error) {
  struct quest quest = {.wanted = wanted, .table = table};
  if (named_folders_try(&quest) || loader_try(&quest) || toolkits_try(&quest) || python_try(&quest))
    return true;
  return error_set(error, code,
                   "%s %d was not found: there is no %s that will do in %s%s%s; NVIDIA's toolkit and its "
                   "Python wheels have it, and NINA_CUDA_LIBS can name its folder",
                   wanted->name, wanted->major, wanted->file, quest.places, *quest.rejected ? ": " : "",
                   quest.rejected);
}

/* --- Both libraries ------------------------------------------------------------------------------------- */

#define FUNCTION_NAME(name) #name,
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define STRING(value) #value
#define FILE_NAME(base, major) base ".so." STRING(major)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects both tables until they are found */

static int cublaslt_version(const void *table) {
  return (int)((const struct cublaslt *)table)->cublasLtGetVersion();
}

const struct cublaslt *cublaslt_library(struct error *error) {
  static const char *const functions[] = {CUBLASLT_FUNCTIONS(FUNCTION_NAME)};
  static const struct wanted wanted = {.name = "cuBLASLt",
                                       .file = FILE_NAME("libcublasLt", CUBLAS_VER_MAJOR),
                                       .major = CUBLAS_VER_MAJOR,
                                       .functions = functions,
                                       .count = COUNT_OF(functions),
                                       .version = cublaslt_version};
  static struct cublaslt table;
  static bool found;
  _Static_assert(sizeof table == sizeof functions, "a function for each name");
  pthread_mutex_lock(&lock);
  found = found || library_find(&wanted, &table, ERROR_DEVICE, error);
  const bool ok = found;
  pthread_mutex_unlock(&lock);
  return ok ? &table : NULL;
}

#ifdef NINA_NCCL
static int nccl_version(const void *table) {
  int version = 0;
  ((const struct nccl *)table)->ncclGetVersion(&version);
  return version;
}

const struct nccl *nccl_library(struct error *error) {
  static const char *const functions[] = {NCCL_FUNCTIONS(FUNCTION_NAME)};
  static const struct wanted wanted = {.name = "NCCL",
                                       .file = FILE_NAME("libnccl", NCCL_MAJOR),
                                       .major = NCCL_MAJOR,
                                       .functions = functions,
                                       .count = COUNT_OF(functions),
                                       .version = nccl_version};
  static struct nccl table;
  static bool found;
  _Static_assert(sizeof table == sizeof functions, "a function for each name");
  pthread_mutex_lock(&lock);
  found = found || library_find(&wanted, &table, ERROR_IO, error);
  const bool ok = found;
  pthread_mutex_unlock(&lock);
  return ok ? &table : NULL;
}
#endif
