#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "host/cli/commands.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/cli/signals.h"
#include "host/job/cat.h"
#include "io/file.h"
#include "io/file_writer.h"
#include "io/look.h"
#include "io/processors.h"

struct cat_arguments {
  int32_t width;
  const char *rows;
  int type; /* enum cat_type */
  const char *file;
  bool overwrite;
  int32_t threads;
};

#define OWN(field) offsetof(struct cat_arguments, field)

static const char *const type_names[] = {"f2", "f4", NULL};

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "Options"},
    {.name = "width", .type = OPTION_INT, .offset = OWN(width), .argument = "W",
     .help = "numbers of a row, stored or not (default: the widest)"},
    {.name = "rows", .type = OPTION_STRING, .offset = OWN(rows), .argument = "A:B",
     .help = "rows from A up to, not including, B; they count from 0,\n"
             "and either may be left out (default: all)"},
    {.name = "dtype", .type = OPTION_CHOICE, .offset = OWN(type), .argument = "TYPE", .choices = type_names,
     .help = "f2 (fp16, as stored) or f4 (the same numbers in fp32)"},
    {.name = "out", .type = OPTION_STRING, .offset = OWN(file), .argument = "FILE",
     .help = "the file to write, which is there when it is whole\n"
             "(default: standard output)"},
    {.name = "overwrite", .type = OPTION_FLAG, .offset = OWN(overwrite),
     .help = "put it in the place of a FILE that is there"},
    {.name = "threads", .type = OPTION_INT, .offset = OWN(threads), .argument = "N", .most = OPTION_THREADS_MAX,
     .help = "worker threads (default: the processors it may use)"},
    {.type = OPTION_END},
};
// clang-format on

/* Reads a row's number, up to *text's first other character. False if there is none, or it is too large. */
static bool row_read(const char **text, int64_t *row) {
  const char *from = *text;
  for (*row = 0; **text >= '0' && **text <= '9'; (*text)++)
    if (__builtin_mul_overflow(*row, 10, row) || __builtin_add_overflow(*row, **text - '0', row))
      return false;
  return *text > from;
}

/* Reads A:B, A: or :B. B is above A. */
static bool rows_parse(const char *text, int64_t *first, int64_t *end, struct error *error) {
  const char *at = text;
  bool ok = *at == ':' || row_read(&at, first);
  ok = ok && *at++ == ':';
  if (ok && *at) ok = row_read(&at, end) && *end > *first;
  return (ok && *at == '\0' && text[1]) ||
         error_set(error, ERROR_USAGE, "rows: \"%s\" is not A:B with A below B, as 0:1000, 1000: or :1000",
                   text);
}

static bool write_stdout(void *context, const void *bytes, size_t size, struct error *error) {
  (void)context;
  return file_write_all(STDOUT_FILENO, "to standard output", bytes, size, error);
}

static bool write_file(void *context, const void *bytes, size_t size, struct error *error) {
  return file_writer_write(context, bytes, size, error);
}

/* Whatever its name, OUT is no place for it: a run replaces and removes files there. */
static bool check_apart(const char *file, const char *out, struct error *error) {
  bool inside;
  if (!look_lies_in(file, out, &inside, error)) return false;
  return !inside || error_set(error, ERROR_USAGE,
                              "--out %s lies in %s, where runs write and remove files: name a file elsewhere",
                              file, out);
}

/* A file that is there is replaced only if the user says so, and a device or a folder never. */
static bool check_file(const struct cat_arguments *arguments, struct error *error) {
  struct look look;
  if (!look_at_link(arguments->file, &look, error)) return false;
  if (look.kind == LOOK_NOTHING) return true;
  if (look.kind != LOOK_FILE)
    return error_set(error, ERROR_USAGE,
                     "%s is there and not a plain file: name another one, or leave out --out and send "
                     "standard output to it",
                     arguments->file);
  return arguments->overwrite ||
         error_set(error, ERROR_USAGE, "%s is there already: name another --out, or add --overwrite",
                   arguments->file);
}

static bool check_target(const struct cat_arguments *arguments, const char *out, struct error *error) {
  if (arguments->file) return check_apart(arguments->file, out, error) && check_file(arguments, error);
  if (arguments->overwrite) return error_set(error, ERROR_USAGE, "--overwrite is for --out FILE");
  return !isatty(STDOUT_FILENO) ||
         error_set(error, ERROR_USAGE,
                   "vectors are no text for a terminal: name a file with --out FILE, or send standard output "
                   "to a file or a pipe");
}

static bool cat_to_file(const struct cat *cat, const char *path, struct error *error) {
  struct file_writer writer;
  char rows[48], bytes[32];
  const atomic_int *stop = signals_catch();
  if (!file_writer_open(&writer, path, error)) return false;
  if (!cat_run(cat, write_file, &writer, stop, error)) {
    file_writer_abandon(&writer);
    return false;
  }
  if (!file_writer_commit(&writer, NULL, error) || !file_sync_parent(path, error)) return false;
  human_counted(cat->rows, "row", "rows", rows);
  human_bytes(cat->bytes, bytes);
  say("%s of width %d in %s (%s)", rows, cat->width, path, bytes);
  return true;
}

static int cat_command(int argc, char **argv) {
  struct cat_arguments arguments = {0};
  struct cat_options options = {0};
  struct cat cat;
  struct error error = {0};
  int first;
  bool help;
  if (!options_parse("cat", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_cat);
    return EXIT_DONE;
  }
  if (argc - first != 1) {
    error_set(&error, ERROR_USAGE, "name one output folder: nina cat OUT");
    return command_fail(&error);
  }
  int status;
  if (!command_alone("nina cat", &status)) return status;
  options = (struct cat_options){.out = argv[first],
                                 .width = arguments.width,
                                 .type = (enum cat_type)arguments.type,
                                 .threads = arguments.threads ? arguments.threads : processors_allowed()};
  if ((arguments.rows && !rows_parse(arguments.rows, &options.first, &options.end, &error)) ||
      !check_target(&arguments, argv[first], &error) || !cat_open(&options, &cat, &error))
    return command_fail(&error);
  if (!cat.complete)
    say("warning: %s is not embedded to its end yet: rows will come between these", argv[first]);
  const bool done = arguments.file ? cat_to_file(&cat, arguments.file, &error)
                                   : cat_run(&cat, write_stdout, NULL, NULL, &error);
  cat_close(&cat);
  return done ? EXIT_DONE : signals_status(command_fail(&error), false);
}

// clang-format off
const struct command command_cat = {
    .name = "cat",
    .summary = "write an output's vectors as one plain .npy file",
    .usage = "nina cat [OPTION…] OUT > FILE.npy\nnina cat [OPTION…] --out FILE.npy OUT",
    .about =
        "Writes the rows of an output folder at one width as one NumPy file of shape (rows, width), in the order\n"
        "of parts, which is that of ids/. A width that is not stored is derived from the widest, to the very bits\n"
        "that nina embed would have written. The file can be mapped: np.load(\"FILE.npy\", mmap_mode=\"r\").\n"
        "\n"
        "  nina cat --width 64 --out archive-64.npy out/archive\n"
        "  nina cat --dtype f4 --rows 0:1000 out/archive | python3 my-script.py",
    .options = specs,
    .exits =
        "0 done; 1 failed, or the reader closed the pipe; 2 wrong usage, FILE is there already, or OUT has\n"
        "a link for a folder or was begun anew meanwhile; 130 and 143 stopped by Ctrl-C and SIGTERM.",
    .operands = OPERANDS_FOLDERS,
    .run = cat_command,
};
// clang-format on
