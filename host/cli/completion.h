/* Writes completion scripts for shells from the tables of the commands. */
#pragma once

#include <stdio.h>

void completion_bash(FILE *stream);
void completion_zsh(FILE *stream);
void completion_fish(FILE *stream);
