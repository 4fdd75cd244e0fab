/* Completions for bash, zsh and fish from the tables that parse. */
#include <string.h>

#include "cli/docs.h"

static bool takes_value(const opt_row *r) { return r->arg == ARG_TEXT || r->arg == ARG_PATH; }

/* Calls each name of an option, dashes included: "-m", "--model-dir".. */
typedef void on_name(FILE *f, const char *dashed, bool first);
static void each_name(FILE *f, const opt_row *r, on_name *each)
{
    char text[64];
    bool first = true;
    if (r->letter) {
        snprintf(text, sizeof text, "-%c", r->letter);
        each(f, text, first);
        first = false;
    }
    for (const char *n = r->names; *n;) {
        const size_t len = strcspn(n, " ");
        snprintf(text, sizeof text, "--%.*s", (int)len, n);
        each(f, text, first);
        first = false;
        n += len + (n[len] == ' ');
    }
}

static void spaced(FILE *f, const char *name, bool first) { fprintf(f, "%s%s", first ? "" : " ", name); }
static void barred(FILE *f, const char *name, bool first) { fprintf(f, "%s%s", first ? "" : "|", name); }

static void names_of(FILE *f, const opt_id *list)
{
    for (const opt_id *o = list; *o != OPT_COUNT; o++) {
        fputc(' ', f);
        each_name(f, cli_option(*o), spaced);
    }
}

static void command_words(FILE *f, const char *between)
{
    bool first = true;
    for (const command *k = cli_commands(); k->name; k++)
        if (!cli_hidden(k)) {
            fprintf(f, "%s%s", first ? "" : between, k->name);
            if (k->alias)
                fprintf(f, "%s%s", between, k->alias);
            first = false;
        }
}

/* ---- bash ---- */

/* Every option that takes a value, and what may follow it. */
static void bash_values(FILE *f)
{
    for (opt_id id = 0; id < OPT_COUNT; id++) {
        const opt_row *r = cli_option(id);
        if (!takes_value(r))
            continue;
        fputs("    ", f);
        each_name(f, r, barred);
        if (cli_choices(id))
            fprintf(f, ") words='%s' ;;\n", cli_choices(id));
        else
            fprintf(f, ") %s ;;\n", r->arg == ARG_PATH ? "files=1" : "return 0");
    }
}

void docs_bash(FILE *f)
{
    fputs("# bash completion for dsperse, made from its option table\n"
          "_dsperse() {\n"
          "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i command= words= files= line\n"
          "  COMPREPLY=()\n"
          "  # bash cuts words at '='\n"
          "  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "    case ${COMP_WORDS[i]} in\n    ", f);
    command_words(f, "|");
    fputs(") command=${COMP_WORDS[i]}; break ;;\n"
          "    esac\n"
          "  done\n"
          "  case $prev in\n", f);
    bash_values(f);
    fputs("  esac\n"
          "  if [[ -z $files && -z $words ]]; then\n"
          "    case $command in\n", f);
    for (const command *k = cli_commands(); k->name; k++) {
        if (cli_hidden(k))
            continue;
        fprintf(f, "    %s%s%s) words='", k->name, k->alias ? "|" : "", k->alias ? k->alias : "");
        names_of(f, k->options);
        names_of(f, cli_global_options());
        fputs("' ;;\n", f);
    }
    fputs("    *) words='", f);
    command_words(f, " ");
    names_of(f, cli_global_options());
    fputs("' ;;\n"
          "    esac\n"
          "  fi\n"
          "  if [[ -n $files ]]; then\n"
          "    compopt -o filenames 2>/dev/null\n"
          "    while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"$cur\")\n"
          "  else\n"
          "    while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -W \"$words\" -- \"$cur\")\n"
          "  fi\n"
          "}\n"
          "complete -F _dsperse dsperse\n", f);
}

/* ---- zsh ---- */

/* Inside '...[text]': brackets, colons and quotes escaped. */
static void zsh_text(FILE *f, const char *s)
{
    for (; *s; s++)
        if (*s == '\'')
            fputs("'\\''", f);
        else if (strchr("[]:\\", *s))
            fprintf(f, "\\%c", *s);
        else
            fputc(*s, f);
}

static void zsh_option(FILE *f, const command *k, opt_id id)
{
    const opt_row *r = cli_option(id);
    char           text[64];
    const bool one = !r->letter && !strchr(r->names, ' ');
    bool       first = true;
    fputs(one ? "    '*" : "    '*'{", f);
    if (r->letter) {
        fprintf(f, "-%c%s", r->letter, takes_value(r) ? "+" : "");
        first = false;
    }
    for (const char *n = r->names; *n;) {
        const size_t len = strcspn(n, " ");
        snprintf(text, sizeof text, "--%.*s", (int)len, n);
        fprintf(f, "%s%s%s", first ? "" : ",", text, takes_value(r) ? "=" : "");
        first = false;
        n += len + (n[len] == ' ');
    }
    fputs(one ? "[" : "}'[", f);
    zsh_text(f, cli_option_help(k, id));
    fputc(']', f);
    if (takes_value(r) || r->arg == ARG_OPTIONAL_PATH) {
        fputs(r->arg == ARG_OPTIONAL_PATH ? "::" : ":", f);
        zsh_text(f, r->value);
        if (cli_choices(id))
            fprintf(f, ":(%s)", cli_choices(id));
        else
            fputs(r->arg == ARG_TEXT ? ": " : ":_files", f);
    }
    fputs("' \\\n", f);
}

void docs_zsh(FILE *f)
{
    fputs("#compdef dsperse\n# zsh completion for dsperse, made from its option table\n"
          "_dsperse() {\n"
          "  local context state state_descr line\n"
          "  typeset -A opt_args\n"
          "  local -a commands global\n"
          "  setopt localoptions braceexpand\n"
          "  commands=(\n", f);
    for (const command *k = cli_commands(); k->name; k++) {
        if (cli_hidden(k))
            continue;
        fprintf(f, "    '%s:", k->name);
        zsh_text(f, k->help);
        fputs("'\n", f);
        if (k->alias) {
            fprintf(f, "    '%s:", k->alias);
            zsh_text(f, k->help);
            fputs("'\n", f);
        }
    }
    fputs("  )\n  global=( \\\n", f);
    for (const opt_id *o = cli_global_options(); *o != OPT_COUNT; o++)
        zsh_option(f, NULL, *o);
    fputs("  )\n"
          "  _arguments -C $global '1: :->command' '*:: :->rest'\n"
          "  case $state in\n"
          "  command) _describe -t commands command commands ;;\n"
          "  rest)\n"
          "    case $words[1] in\n", f);
    for (const command *k = cli_commands(); k->name; k++) {
        if (cli_hidden(k))
            continue;
        fprintf(f, "    %s%s%s) _arguments $global \\\n", k->name, k->alias ? "|" : "", k->alias ? k->alias : "");
        for (const opt_id *o = k->options; *o != OPT_COUNT; o++)
            zsh_option(f, k, *o);
        fputs("    ;;\n", f);
    }
    fputs("    esac ;;\n  esac\n}\n_dsperse \"$@\"\n", f);
}

/* ---- fish ---- */

static void fish_text(FILE *f, const char *s)
{
    for (; *s; s++)
        if (*s == '\'' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else
            fputc(*s, f);
}

static void fish_option(FILE *f, const command *k, opt_id id)
{
    const opt_row *r = cli_option(id);
    fputs("complete -c dsperse", f);
    if (k)
        fprintf(f, " -n '__fish_seen_subcommand_from %s%s%s'", k->name, k->alias ? " " : "", k->alias ? k->alias : "");
    if (r->letter)
        fprintf(f, " -s %c", r->letter);
    for (const char *n = r->names; *n;) {
        const size_t len = strcspn(n, " ");
        fprintf(f, " -l %.*s", (int)len, n);
        n += len + (n[len] == ' ');
    }
    if (cli_choices(id))
        fprintf(f, " -x -a '%s'", cli_choices(id));
    else if (r->arg == ARG_PATH)
        fputs(" -r -F", f);
    else if (r->arg == ARG_TEXT)
        fputs(" -x", f);
    fputs(" -d '", f);
    fish_text(f, cli_option_help(k, id));
    fputs("'\n", f);
}

void docs_fish(FILE *f)
{
    fputs("# fish completion for dsperse, made from its option table\ncomplete -c dsperse -f\n", f);
    for (const command *k = cli_commands(); k->name; k++) {
        if (cli_hidden(k))
            continue;
        fprintf(f, "complete -c dsperse -n __fish_use_subcommand -a '%s%s%s' -d '", k->name, k->alias ? " " : "", k->alias ? k->alias : "");
        fish_text(f, k->help);
        fputs("'\n", f);
    }
    for (const opt_id *o = cli_global_options(); *o != OPT_COUNT; o++)
        fish_option(f, NULL, *o);
    for (const command *k = cli_commands(); k->name; k++)
        for (const opt_id *o = k->options; !cli_hidden(k) && *o != OPT_COUNT; o++)
            fish_option(f, k, *o);
}
