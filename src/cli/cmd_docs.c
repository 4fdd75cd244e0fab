/* __docs, a command for the build: writes man pages and completions below a folder, laid out as in <prefix>/share. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/docs.h"

typedef void writer(FILE *f, const command *k);

static void man_program(FILE *f, const command *k) { (void)k; docs_man_program(f); }
static void bash(FILE *f, const command *k) { (void)k; docs_bash(f); }
static void zsh(FILE *f, const command *k) { (void)k; docs_zsh(f); }
static void fish(FILE *f, const command *k) { (void)k; docs_fish(f); }

static dsp_status put(const char *dir, const char *folder, const char *name, writer *w, const command *k, dsp_err *err)
{
    char      *text = NULL, *at = dsp_path_join(dir, folder), *path = at ? dsp_path_join(at, name) : NULL;
    size_t     n = 0;
    FILE      *f = path ? open_memstream(&text, &n) : NULL;
    dsp_status s = f ? dsp_mkdirs(at, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for %s", name);
    if (f) {
        w(f, k);
        if (fclose(f) != 0 && s == DSP_OK)
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for %s", name);
    }
    if (s == DSP_OK)
        s = dsp_file_write(path, text, n, 0644, err);
    free(text);
    dsp_free(path);
    dsp_free(at);
    return s;
}

int cmd_docs(cli *c)
{
    static const struct { const char *folder, *name; writer *write; } one[] = {
        {"man/man1", "dsperse.1", man_program},
        {"bash-completion/completions", "dsperse", bash},
        {"zsh/site-functions", "_dsperse", zsh},
        {"fish/vendor_completions.d", "dsperse.fish", fish},
    };
    dsp_err    err = {DSP_OK, ""};
    dsp_status s = DSP_OK;
    for (size_t i = 0; i < sizeof one / sizeof *one && s == DSP_OK; i++)
        s = put(c->o.value[OPT_OUTPUT], one[i].folder, one[i].name, one[i].write, NULL, &err);
    for (const command *k = cli_commands(); k->name && s == DSP_OK; k++) {
        char name[64];
        snprintf(name, sizeof name, "dsperse-%s.1", k->name);
        if (!cli_hidden(k))
            s = put(c->o.value[OPT_OUTPUT], "man/man1", name, docs_man_command, k, &err);
    }
    return cli_end(c, s, &err, NULL);
}
