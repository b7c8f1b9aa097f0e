#include "io/libraries.h"

#include <jansson.h>
#include <stdio.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

void libraries_describe(char text[LIBRARIES_TEXT_MAX]) {
  const unsigned xxhash = XXH_versionNumber(); /* 10000 · major + 100 · minor + release */
  snprintf(text, LIBRARIES_TEXT_MAX, "zlib %s, zstd %s, Jansson %s, xxHash %u.%u.%u", zlibVersion(),
           ZSTD_versionString(), jansson_version_str(), xxhash / 10000, xxhash / 100 % 100, xxhash % 100);
}
