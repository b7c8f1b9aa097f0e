/* The libraries below this floor: their versions at run time. */
#pragma once

#define LIBRARIES_TEXT_MAX 256

/* For people: "zlib 1.2.13, zstd 1.5.4, …". */
void libraries_describe(char text[LIBRARIES_TEXT_MAX]);
