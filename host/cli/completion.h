/* Writes completion scripts for shells from the commands' tables. */
#pragma once

#include <stdio.h>

void completion_bash(FILE *stream);
void completion_zsh(FILE *stream);
void completion_fish(FILE *stream);
