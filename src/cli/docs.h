/* Documents made from the tables of commands and options: man pages and shell completions. */
#ifndef DSP_CLI_DOCS_H
#define DSP_CLI_DOCS_H

#include "cli/cli.h"

void docs_man_program(FILE *f);
void docs_man_command(FILE *f, const command *k);
void docs_bash(FILE *f);
void docs_zsh(FILE *f);
void docs_fish(FILE *f);

#endif
