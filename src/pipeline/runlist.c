#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/json.h"
#include "pipeline/paths.h"

typedef struct { char *dir, at[40]; } listed;

static int by_start(const void *a, const void *b)
{
    const listed *x = a, *y = b;
    const int     c = strcmp(x->at, y->at);
    return c ? c : strcmp(dsp_path_base(x->dir), dsp_path_base(y->dir));
}

static json_t *load_in(const char *dir, const char *name)
{
    json_t *j = NULL;
    char   *p = dsp_path_join(dir, name);
    if (p && dsp_file_exists(p) && dsp_json_load(&j, p, NULL) != DSP_OK)
        j = NULL;
    dsp_free(p);
    return j;
}

static bool is_root(const char *dir)
{
    json_t    *j = load_in(dir, "metadata.json");
    const bool yes = strcmp(dsp_json_str(j, "kind"), "run_root") == 0;
    json_decref(j);
    return yes;
}

dsp_status dsp_run_list(char ***dirs, size_t *n, const char *path, dsp_err *err)
{
    listed    *list = NULL;
    size_t     cap = 0, count = 0;
    char      *root = is_root(path) ? dsp_strdup(path) : dsp_path_join(path, "run");
    DIR       *d = root && is_root(root) ? opendir(root) : NULL;
    dsp_status s = root ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    *dirs = NULL;
    *n = 0;
    for (struct dirent *e; s == DSP_OK && d && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, "run_", 4) != 0)
            continue;
        char   *dir = dsp_path_join(root, e->d_name);
        json_t *j = dir ? load_in(dir, "run_result.json") : NULL;
        if (!dir)
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (j && strcmp(dsp_json_str(j, "status"), "complete") == 0) {
            if (count == cap) {
                listed *more = DSP_NEW_N(listed, cap ? 2 * cap : 16);
                if (!more) {
                    s = dsp_fail(err, DSP_E_NOMEM, "no memory for a list of runs");
                } else {
                    if (count)
                        memcpy(more, list, count * sizeof *list);
                    dsp_free(list);
                    list = more;
                    cap = cap ? 2 * cap : 16;
                }
            }
            if (s == DSP_OK) {
                list[count].dir = dir;
                strncpy(list[count].at, dsp_json_str(j, "started_at"), sizeof list->at - 1);
                count++;
                dir = NULL;
            }
        }
        json_decref(j);
        dsp_free(dir);
    }
    if (d)
        closedir(d);
    if (s == DSP_OK && count) {
        qsort(list, count, sizeof *list, by_start);
        if (!(*dirs = DSP_NEW_N(char *, count)))
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a list of runs");
    }
    for (size_t i = 0; i < count; i++)
        if (s == DSP_OK)
            (*dirs)[i] = list[i].dir;
        else
            dsp_free(list[i].dir);
    *n = s == DSP_OK ? count : 0;
    dsp_free(list);
    dsp_free(root);
    return s;
}
