#include "host/model/place.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/folder.h"
#include "io/look.h"

#define NAME_BYTES 200  /* of "org/name"; the Hub allows 96 */
#define COMMIT_BYTES 72 /* of a commit's hash; SHA-1 has 40 digits */
#define COMMITS_NAMED 8 /* in an error sentence */
#define CACHES_MAX 2

#define REPOSITORY "models--"
#define SNAPSHOTS "snapshots"

struct reference {
  char name[NAME_BYTES];
  const char *revision; /* NULL: the default */
};

struct caches {
  char path[CACHES_MAX][PATH_MAX];
  int32_t count;
};

/* The snapshots whose commit begins with `prefix`. */
struct commits {
  const char *prefix;
  char name[COMMITS_NAMED][COMMIT_BYTES];
  int32_t count; /* may be more than COMMITS_NAMED */
};

/* True for what the Hub takes as a part of a name. Such a part never leaves its folder. */
static bool part_is_plain(const char *part, size_t length) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return length > 0 && part[0] != '.' && strspn(part, allowed) >= length;
}

/* The same for a branch, a tag, a commit or a pull request, which may have several parts: refs/pr/1. */
static bool revision_is_plain(const char *revision) {
  size_t length = strcspn(revision, "/");
  while (part_is_plain(revision, length) && revision[length] == '/') {
    revision += length + 1;
    length = strcspn(revision, "/");
  }
  return part_is_plain(revision, length) && revision[length] == '\0';
}

static bool reference_parse(const char *text, struct reference *reference) {
  const char *at = strchr(text, '@');
  const size_t length = at ? (size_t)(at - text) : strlen(text);
  const char *slash = memchr(text, '/', length);
  *reference = (struct reference){.revision = at ? at + 1 : NULL};
  if (!slash || length >= sizeof reference->name) return false;
  memcpy(reference->name, text, length);
  return part_is_plain(text, (size_t)(slash - text)) &&
         part_is_plain(slash + 1, length - (size_t)(slash + 1 - text)) && (!at || revision_is_plain(at + 1));
}

/* Adds the value of an environment variable and the folder below it, if the variable is set. "~/" at its
 * beginning is the user's home. */
static bool cache_add(struct caches *caches, const char *variable, const char *below) {
  const char *value = getenv(variable), *home = getenv("HOME");
  if (!value || !*value) return false;
  const bool at_home = strncmp(value, "~/", 2) == 0 && home;
  char *path = caches->path[caches->count];
  const int length =
      snprintf(path, PATH_MAX, "%s%s%s", at_home ? home : "", at_home ? value + 1 : value, below);
  if (length >= PATH_MAX) return false;
  caches->count++;
  return true;
}

static void caches_list(struct caches *caches) {
  *caches = (struct caches){0};
  cache_add(caches, "SENTENCE_TRANSFORMERS_HOME", "");
  (void)(cache_add(caches, "HF_HUB_CACHE", "") || cache_add(caches, "HUGGINGFACE_HUB_CACHE", "") ||
         cache_add(caches, "HF_HOME", "/hub") || cache_add(caches, "XDG_CACHE_HOME", "/huggingface/hub") ||
         cache_add(caches, "HOME", "/.cache/huggingface/hub"));
}

/* Writes the path of the repository in the first cache that has it; "" if none has. */
static bool repository_find(const struct caches *caches, const char *name, char path[PATH_MAX],
                            struct error *error) {
  const char *slash = strchr(name, '/');
  struct look look;
  for (int32_t i = 0; i < caches->count; i++) {
    const int length = snprintf(path, PATH_MAX, "%s/" REPOSITORY "%.*s--%s", caches->path[i],
                                (int)(slash - name), name, slash + 1);
    if (length >= PATH_MAX) continue;
    if (!look_at(path, &look, error)) return false;
    if (look.kind == LOOK_FOLDER) return true;
  }
  path[0] = '\0';
  return true;
}

static bool repository_missing(const struct caches *caches, const char *reference, const char *name,
                               struct error *error) {
  if (!caches->count)
    return error_set(
        error, ERROR_USAGE,
        "there is no folder %s, and without HOME and HF_HOME no cache of Hugging Face to look in", reference);
  return error_set(
      error, ERROR_USAGE,
      "there is no folder %s, and no model of this name in the cache %s%s%s; if it is a model of the "
      "Hugging Face Hub, this command fetches it: hf download %s",
      reference, caches->path[0], caches->count > 1 ? " or " : "", caches->count > 1 ? caches->path[1] : "",
      name);
}

static bool commit_visit(void *context, const char *name, struct error *error) {
  (void)error;
  struct commits *commits = context;
  const size_t length = strlen(name);
  if (!part_is_plain(name, length) || length >= COMMIT_BYTES) return true;
  if (strncmp(name, commits->prefix, strlen(commits->prefix)) != 0) return true;
  if (commits->count < COMMITS_NAMED) memcpy(commits->name[commits->count], name, length + 1);
  commits->count++;
  return true;
}

static int commit_compare(const void *left, const void *right) {
  return strcmp(left, right);
}

static bool commits_list(const char *repository, const char *prefix, struct commits *commits,
                         struct error *error) {
  *commits = (struct commits){.prefix = prefix};
  char *folder = file_join(repository, SNAPSHOTS);
  if (!folder) return error_set_memory(error, strlen(repository), "a path");
  const bool done = folder_visit(folder, commit_visit, commits, error);
  free(folder);
  const int32_t kept = commits->count < COMMITS_NAMED ? commits->count : COMMITS_NAMED;
  qsort(commits->name, (size_t)kept, sizeof *commits->name, commit_compare);
  return done;
}

/* Reads refs/REVISION. Without this file *commit is empty. */
static bool ref_read(const char *repository, const char *revision, char commit[COMMIT_BYTES],
                     struct error *error) {
  char *folder = file_join(repository, "refs"), *path = folder ? file_join(folder, revision) : NULL,
       *text = NULL;
  size_t size = 0;
  commit[0] = '\0';
  bool done = path || error_set_memory(error, strlen(repository), "a path");
  bool there = false;
  done = done && look_in(folder, revision, &there, error);
  if (there) {
    done = file_read(path, COMMIT_BYTES - 1, &text, &size, error);
    const size_t length = done ? strcspn(text, " \r\n") : 0;
    if (done && !part_is_plain(text, length))
      done = error_set(error, ERROR_INPUT, "%s does not hold a commit", path);
    if (done) snprintf(commit, COMMIT_BYTES, "%.*s", (int)length, text);
  }
  free(text);
  free(path);
  free(folder);
  return done;
}

/* If no snapshot is meant, or several may be. */
static bool commits_refuse(const struct reference *reference, const char *repository,
                           const struct commits *commits, struct error *error) {
  char names[COMMITS_NAMED * (COMMIT_BYTES + 2)] = "";
  size_t used = 0;
  if (!commits->count && reference->revision)
    return error_set(
        error, ERROR_USAGE,
        "%s: there is no snapshot %s in %s; this command fetches it: hf download %s --revision %s",
        reference->name, reference->revision, repository, reference->name, reference->revision);
  if (!commits->count)
    return error_set(error, ERROR_USAGE,
                     "%s: there is no snapshot in %s; this command fetches it: hf download %s",
                     reference->name, repository, reference->name);
  for (int32_t i = 0; i < commits->count && i < COMMITS_NAMED; i++)
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", commits->name[i]);
  return error_set(error, ERROR_USAGE, "%s: %s holds %d snapshots%s; name one, as %s@%s; there are %s%s",
                   reference->name, repository, commits->count,
                   reference->revision ? " that begin so" : " and no refs/main that chooses", reference->name,
                   commits->name[0], names, commits->count > COMMITS_NAMED ? ", …" : "");
}

/* Writes the commit that the reference means. */
static bool commit_choose(const struct reference *reference, const char *repository,
                          char commit[COMMIT_BYTES], struct error *error) {
  struct commits commits;
  if (!ref_read(repository, reference->revision ? reference->revision : "main", commit, error)) return false;
  if (*commit) return true;
  if (!commits_list(repository, reference->revision ? reference->revision : "", &commits, error))
    return false;
  if (commits.count != 1) return commits_refuse(reference, repository, &commits, error);
  memcpy(commit, commits.name[0], COMMIT_BYTES);
  return true;
}

static char *snapshot_find(const struct reference *reference, const char *repository, struct error *error) {
  char commit[COMMIT_BYTES], path[PATH_MAX];
  if (!commit_choose(reference, repository, commit, error)) return NULL;
  const int length = snprintf(path, sizeof path, "%s/" SNAPSHOTS "/%s", repository, commit);
  struct look look = {.kind = LOOK_NOTHING};
  if (length < (int)sizeof path && !look_at(path, &look, error)) return NULL;
  if (look.kind != LOOK_FOLDER) {
    error_set(error, ERROR_USAGE,
              "%s: the cache names the commit %s and has no snapshot of it in %s; this command fetches it: "
              "hf download %s%s%s",
              reference->name, commit, repository, reference->name, reference->revision ? " --revision " : "",
              reference->revision ? reference->revision : "");
    return NULL;
  }
  char *copy = strdup(path);
  if (!copy) error_set_memory(error, (size_t)length + 1, "a path");
  return copy;
}

static char *folder_copy(const char *path, struct error *error) {
  if (!file_check_folder(path, error)) return NULL;
  char *copy = strdup(path);
  if (!copy) error_set_memory(error, strlen(path) + 1, "a path");
  return copy;
}

char *place_find(const char *text, struct error *error) {
  struct look look;
  struct reference reference;
  struct caches caches;
  char repository[PATH_MAX];
  if (!look_at(text, &look, error)) return NULL;
  if (look.kind != LOOK_NOTHING || !reference_parse(text, &reference)) return folder_copy(text, error);
  caches_list(&caches);
  if (!repository_find(&caches, reference.name, repository, error)) return NULL;
  if (*repository) return snapshot_find(&reference, repository, error);
  repository_missing(&caches, text, reference.name, error);
  return NULL;
}

bool place_repository(const char *folder, char **name, struct error *error) {
  static const char models[] = "/" REPOSITORY, snapshots[] = "/" SNAPSHOTS "/";
  char *real = realpath(folder, NULL);
  const char *start = NULL;
  bool done = true;
  *name = NULL;
  if (!real) return error_set_errno(error, "cannot look at %s", folder);
  for (const char *at = real; (at = strstr(at, models));) start = at += strlen(models);
  const char *end = start ? strchr(start, '/') : NULL;
  if (end && strncmp(end, snapshots, strlen(snapshots)) == 0 && !strchr(end + strlen(snapshots), '/')) {
    *name = strndup(start, (size_t)(end - start));
    done = *name || error_set_memory(error, strlen(start), "the model's name");
  }
  char *dashes = *name ? strstr(*name, "--") : NULL;
  if (dashes) {
    *dashes = '/';
    memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
  }
  free(real);
  return done;
}

char *place_name(const char *folder, struct error *error) {
  char *name;
  if (!place_repository(folder, &name, error) || name) return name;
  char *real = realpath(folder, NULL);
  if (!real) {
    error_set_errno(error, "cannot look at %s", folder);
    return NULL;
  }
  const char *slash = strrchr(real, '/');
  name = strdup(slash && slash[1] ? slash + 1 : real);
  free(real);
  if (!name) error_set_memory(error, strlen(folder), "the model's name");
  return name;
}
