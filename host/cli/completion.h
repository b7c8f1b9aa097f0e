/* Completion scripts for shells, written from the commands' own tables. */
#pragma once

#include <stdio.h>

void completion_bash(FILE *stream);
void completion_zsh(FILE *stream);
void completion_fish(FILE *stream);
