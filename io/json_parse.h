/* jansson where memory may run short. If an allocation fails inside it, its parser may crash or leave bytes
 * out of a value, its printer may leave some out of a text, and json_pack may leave out a member. Here none
 * of that passes for success. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* As json_loadb. If memory runs short it returns NULL, and json_error_code(problem) is
 * json_error_out_of_memory; what had been parsed until then is not freed. `problem` is not NULL. */
json_t *json_parse(const char *text, size_t size, size_t flags, json_error_t *problem);

/* The value of a text that is JSON for certain; NULL if memory runs short. */
json_t *json_parse_own(const char *text);

/* As json_dumps; NULL too if anything in the text is missing because memory was short. */
char *json_print(const json_t *value, size_t flags);

/* Returns whether an allocation of jansson's has failed in this thread since the last call, and watches from
 * now on. A value that was built meanwhile may lack a member. */
bool json_memory_failed(void);
