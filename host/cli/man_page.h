/* Man pages (section 1), written from the commands' own tables. */
#pragma once

#include <stdio.h>

#include "host/cli/commands.h"

/* nina.1: what nina is, its commands, configuration files, exit statuses. */
void man_page_main(FILE *stream);

/* nina-COMMAND.1 */
void man_page(const struct command *command, FILE *stream);
